# SPDX-License-Identifier: MIT
# keys.pl CONSOLE [asked]: copy standard input to standard output, which is the machine's COM1, and then
# Ctrl-D where it ends. Nothing is read before the machine has written to its console (the file
# CONSOLE): firmware or a UART's reset would lose it. With `asked`, nothing before somebody there asks:
# a byte comes when the host's clock says, and costs the machine ticks, which repeat without it. From
# the hypervisor's line that it passes the console of a guest on, a terminal is raw: then Ctrl-C is
# the guest's.
use strict;
use warnings;
use IO::Select;

my ($name, $asked) = @ARGV;
my $passed_on = !-t STDIN;
open my $console, "<", $name or die "keys.pl: $name: $!\n";
select undef, undef, undef, 0.1 until -s $console;

my $ready = IO::Select->new(\*STDIN);
my $text = "";
wait_until_asked() if $asked;
while (1) {
	look_for_guest() if !$passed_on;
	next if !$ready->can_read($passed_on ? undef : 0.2);
	sysread STDIN, my $bytes, 4096 or last;
	put($bytes);
}
put("\x04");

sub put {
	my ($bytes) = @_;
	for (my $done = 0; $done < length $bytes;) {
		$done += syswrite(STDOUT, $bytes, length($bytes) - $done, $done) // exit 1;
	}
}

# Read the console until the monitor's prompt is the last on it, or a guest has it.
sub wait_until_asked {
	until ($text =~ /^hv: (?:[a-z0-9-]*> \z|console of )/m) {
		$text =~ s/.*\n//s;
		sysread $console, $text, 65536, length $text or select undef, undef, undef, 0.1;
	}
}

# Read on in the console until the line that passes a guest's on.
sub look_for_guest {
	while (sysread $console, my $bytes, 65536) {
		$text .= $bytes;
		if ($text =~ /^hv: console of [a-z0-9-]+, Ctrl-A h for help\r?$/m) {
			system "stty raw -echo";
			$passed_on = 1;
		}
		$text =~ s/.*\n//s;
	}
}
