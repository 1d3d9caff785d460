# SPDX-License-Identifier: MIT
# symbols.pl IMAGE.iso...: copy the console from standard input to standard output as it comes, and
# behind each line of the hypervisor that has a RIP, where that is in the source. Which program a
# VM runs tools/iso has written into GRUB's file, as a comment; its symbols are beside it, in
# NAME.elf64. A program that was built after the ISO is not the one that runs, and left out.
use strict;
use warnings;

my %program; # by VM, and "hv"
read_programs($_) for @ARGV;
my ($line, $subject) = ("", "");
while (sysread STDIN, my $bytes, 65536) {
	while ($bytes =~ s/\A([^\n]*\n)//) {
		put($1);
		$line .= $1;
		explain($line);
		$line = "";
	}
	put($bytes);
	$line .= $bytes;
}

sub put {
	my ($bytes) = @_;
	for (my $done = 0; $done < length $bytes;) {
		$done += syswrite(STDOUT, $bytes, length($bytes) - $done, $done) // exit 1;
	}
}

sub read_programs {
	my ($iso) = @_;
	open my $file, "<", $iso or return;
	while (<$file>) {
		next if !/^# (?:vm )?([a-z0-9-]+): (.*\.elf)$/;
		my $elf = $1 eq "hv" ? $2 : "${2}64";
		$program{$1} = $elf if -r $elf && (stat $elf)[9] <= (stat $iso)[9];
	}
}

# A line with a RIP: of the VM it names, of the one whose end was told before it, or of the hypervisor.
sub explain {
	my ($text) = @_;
	$subject = $1 if $text =~ /^hv: vm (\S+): killed:/;
	$subject = "hv" if $text =~ /^hv: (?:exception|panic)/;
	my ($name, $rip) = $text =~ /^hv: (?:vm ([a-z0-9-]+):|  ).*\brip (?:0x)?([0-9a-f]+)/ or return;
	$name //= $subject;
	my $elf = $program{$name} // return;
	open my $answer, "-|", "addr2line", "-f", "-e", $elf, $rip or return;
	my ($function, $place) = <$answer>;
	return if !defined $place || $function =~ /^\?\?/;
	chomp($function, $place);
	$place =~ s/^.*?((?:boot|ept|guest|hv|iommu|lib|tests)\/)/$1/;
	put("tools/boot: " . ($name eq "hv" ? "" : "vm ") . "$name: rip 0x$rip is in $function, $place\n");
}
