# SPDX-License-Identifier: MIT
# com1.pl CONFIG OUT COMMAND...: run Bochs and copy its COM1 to standard output as it comes.
# Bochs holds back the last 4 KiB of a serial port that goes to a file, but none of one that goes
# to a socket: so this listens on a free port of 127.0.0.1, writes the port's number over the word
# PORT in CONFIG and starts COMMAND with its own output in OUT. Only perl-base is needed, which
# every Debian has. It ends when COMMAND does; COMMAND's death comes with its reader's.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ":sys_wait_h";

my ($config, $out, @command) = @ARGV;
my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")
	or die "com1.pl: cannot listen on 127.0.0.1: $@\n";
my $port = $listener->sockport;

open my $file, "+<", $config or die "com1.pl: $config: $!\n";
my $text = join "", <$file>;
$text =~ s/:PORT\b/:$port/;
seek $file, 0, 0;
print $file $text;
truncate $file, tell $file;
close $file;

my $child = fork // die "com1.pl: cannot fork: $!\n";
if (!$child) {
	open STDIN, "<", "/dev/null" or die;
	open STDOUT, ">", $out or die "com1.pl: $out: $!\n";
	exec @command or die "com1.pl: $command[0]: $!\n";
}

# Bochs connects when it sets up its devices, or ends before that because of a bad configuration.
my $ready = IO::Select->new($listener);
my $ended = 0;
until ($ready->can_read(0.1)) {
	$ended = waitpid($child, WNOHANG) == $child;
	exit 1 if $ended;
}
my $com1 = $listener->accept or die "com1.pl: $!\n";
close $listener;
while (sysread $com1, my $bytes, 65536) {
	for (my $done = 0; $done < length $bytes;) {
		$done += syswrite(STDOUT, $bytes, length($bytes) - $done, $done) // exit 1;
	}
}
close $com1;
waitpid $child, 0;
