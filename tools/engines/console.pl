# SPDX-License-Identifier: MIT
# console.pl FOLDER COMMAND...: run Bochs, whose configuration is FOLDER/bochsrc, and copy its
# serial port to standard output as it comes. Bochs holds back the last 4 KiB of a serial port
# that goes to a file, but nothing of one that goes to a socket: so this listens on a free port of
# 127.0.0.1 and writes its number over the word PORT in the configuration. Bochs's log comes
# through FOLDER/log.fifo and is kept in FOLDER/log; the second reset of the machine (the first
# is its power-on) ends it. Standard input goes to the serial port. Only perl-base is needed, which every Debian has.
use strict;
use warnings;
use Fcntl;
use IO::Select;
use IO::Socket::INET;
use Socket qw(MSG_DONTWAIT MSG_NOSIGNAL);
use POSIX ":sys_wait_h";

my ($folder, @command) = @ARGV;
my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")
	or die "console.pl: cannot listen on 127.0.0.1: $@\n";
set_port("$folder/bochsrc", $listener->sockport);
# Opened for writing too, so that it has no end before this has.
sysopen my $fifo, "$folder/log.fifo", O_RDWR | O_NONBLOCK or die "console.pl: log.fifo: $!\n";
open my $log, ">", "$folder/log" or die "console.pl: $folder/log: $!\n";

my $child = fork // die "console.pl: cannot fork: $!\n";
if (!$child) {
	open STDIN, "<", "/dev/null" or die;
	open STDOUT, ">", "$folder/out" or die "console.pl: $folder/out: $!\n";
	exec @command or die "console.pl: $command[0]: $!\n";
}

my $ready = IO::Select->new($listener, $fifo);
my ($resets, $unfinished, $alive, $ended) = (0, "", 1, 0);
my ($machine, $typed) = (undef, ""); # the connection, and what is still to be sent to it
# Bochs connects when it sets up its devices, or ends before that because of its configuration;
# after that the connection's end is Bochs's.
while ($alive) {
	my @readable = $ready->can_read($ended ? 0 : 0.2);
	if (!@readable) {
		$alive = !$ended;
		$ended = waitpid($child, WNOHANG) == $child; # what it wrote last may have come since the look
	}
	for my $source (@readable) {
		if ($source == $listener) {
			$machine = $listener->accept; # in scalar context: older ones give two values in a list
			$ready->add($machine, \*STDIN);
			$ready->remove($listener);
			close $listener;
		} elsif ($source == $fifo) {
			copy_log();
		} elsif ($source == \*STDIN) {
			read_input();
		} else {
			$alive = copy_console($source);
		}
	}
	send_input() if length $typed;
}
copy_log();
kill "KILL", $child;
waitpid $child, 0;

sub set_port {
	my ($name, $port) = @_;
	open my $file, "+<", $name or die "console.pl: $name: $!\n";
	my $text = join "", <$file>;
	$text =~ s/:PORT\b/:$port/;
	seek $file, 0, 0;
	print $file $text;
	truncate $file, tell $file;
}

# Copy what has come; false at the end.
sub copy_console {
	my ($source) = @_;
	sysread $source, my $bytes, 65536 or return 0;
	for (my $done = 0; $done < length $bytes;) {
		$done += syswrite(STDOUT, $bytes, length($bytes) - $done, $done) // exit 1;
	}
	return 1;
}

# Take what was typed; nothing more of it until the machine has it all.
sub read_input {
	$ready->remove(\*STDIN);
	sysread STDIN, $typed, 4096;
	$typed //= "";
}

# Send as much as the connection takes: the machine reads byte by byte, and never if nobody there
# wants it, and its console must go on meanwhile.
sub send_input {
	my $sent = send($machine, $typed, MSG_DONTWAIT | MSG_NOSIGNAL) // return;
	$typed = substr $typed, $sent;
	$ready->add(\*STDIN) if !length $typed;
}

sub copy_log {
	while (sysread $fifo, my $bytes, 65536) {
		print $log $bytes;
		my @lines = split /\n/, $unfinished . $bytes, -1;
		$unfinished = pop @lines;
		$resets += grep { /\[SYS *\] bx_pc_system_c::Reset\(/ } @lines;
	}
	kill "KILL", $child if $resets > 1;
}
