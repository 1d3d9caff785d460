/* SPDX-License-Identifier: MIT */
/* hv/options/options.c: the words on GRUB's lines, right and wrong. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "hv/options/options.h"
#include "lib/bits.h"
#include "lib/errno.h"

static struct vm_options vm;
static struct hv_options hv;
static struct option_error error;

static void assert_vm(const char *line)
{
	if (vm_options_parse(line, &vm, &error)) fail_msg("'%s': '%s', expected %s", line, error.word, error.expected);
}

/* The line is refused because of 'word', and 'expected' is part of what was expected. */
static void assert_vm_refused(const char *line, const char *word, const char *expected)
{
	error = (struct option_error){0};
	assert_int_equal(vm_options_parse(line, &vm, &error), -EINVAL);
	assert_string_equal(error.word, word);
	if (!strstr(error.expected, expected)) fail_msg("'%s': expected '%s' in '%s'", line, expected, error.expected);
}

static void assert_hv_refused(const char *line, const char *word, const char *expected)
{
	error = (struct option_error){0};
	assert_int_equal(hv_options_parse(line, &hv, &error), -EINVAL);
	assert_string_equal(error.word, word);
	assert_non_null(strstr(error.expected, expected));
}

TEST(a_vm_line_without_words_has_the_defaults_of_the_contract)
{
	memset(&vm, 0xff, sizeof(vm));
	assert_vm("vm a");
	assert_string_equal(vm.name, "a");
	assert_int_equal(vm.memory, 128 * MiB);
	assert_int_equal(vm.cpus, 1);
	assert_false(vm.iommu);
	assert_false(vm.snoop_control);
	assert_true(vm.caching_mode);
	assert_int_equal(vm.devices, 0);
	assert_int_equal(vm.policy, MEMTYPE_KVM_6_7);
	assert_false(vm.retype);
	assert_false(vm.fill_table);
	assert_string_equal(vm.command_line, "");
}

TEST(every_word_of_the_contract_is_taken)
{
	assert_vm("vm demo-2 mem=64M cpus=1 iommu=on,sc,cm=off dev=edu dev=edu,snoop "
		  "dev=testdev memtype=kvm-6.6 transition=retype fill=table -- one two");
	assert_string_equal(vm.name, "demo-2");
	assert_int_equal(vm.memory, 64 * MiB);
	assert_true(vm.iommu);
	assert_true(vm.snoop_control);
	assert_false(vm.caching_mode);
	assert_int_equal(vm.devices, 3);
	assert_string_equal(vm.device[0].row->name, "edu");
	assert_int_equal(vm.device[0].words, 0);
	assert_ptr_equal(vm.device[1].row, vm.device[0].row);
	assert_int_equal(vm.device[1].words, 1);
	assert_string_equal(vm.device[2].row->name, "testdev");
	assert_int_equal(vm.policy, MEMTYPE_KVM_6_6);
	assert_true(vm.retype);
	assert_true(vm.fill_table);
	assert_string_equal(vm.command_line, "one two");
}

TEST(blanks_separate_words_however_many)
{
	assert_vm("\t vm  \t a   mem=2M\t--\tx ");
	assert_int_equal(vm.memory, 2 * MiB);
	assert_string_equal(vm.command_line, "x ");
}

TEST(a_name_is_1_to_15_characters_of_a_z_0_9_and_hyphen)
{
	static const char *const good[] = {"a", "0", "-", "abcdefghijklmno", "hv2", "h", "vm", "hv-"};
	static const char *const bad[] = {"abcdefghijklmnop", "A", "a_b", "a.b", "a/b", "\xe4", "hv"};
	char line[64];

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		strcpy(line, "vm ");
		assert_vm(strcat(line, good[i]));
		assert_string_equal(vm.name, good[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		strcpy(line, "vm ");
		strcat(line, bad[i]);
		assert_vm_refused(line, bad[i][0] == '\xe4' ? "?" : bad[i], "NAME of 1 to 15");
		assert_string_equal(vm.name, "");
	}
}

TEST(a_line_that_is_no_vm_line_is_refused_without_a_name)
{
	assert_vm_refused("", "", "vm NAME");
	assert_vm_refused("   ", "", "vm NAME");
	assert_vm_refused("vmx a", "vmx", "vm NAME");
	assert_vm_refused("VM a", "VM", "vm NAME");
	assert_vm_refused("initrd a", "a", "nothing behind");
	assert_vm_refused("vm", "", "NAME of 1 to 15");
	assert_vm_refused("vm -- x", "x", "mem=");
	assert_vm_refused("vm mem=64M", "mem=64M", "NAME of 1 to 15");
	assert_string_equal(vm.name, "");
}

TEST(an_unknown_word_is_named_with_what_was_expected)
{
	static const char *const words[] = {"foo", "mem", "mem:64M", "MEM=64M", "=",     "-",
					    "---", "--x", "iommu",   "cpu=1",   "initrd"};
	char line[64];

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		strcpy(line, "vm a ");
		assert_vm_refused(strcat(line, words[i]), words[i],
				  "mem=, cpus=, iommu=, dev=, memtype=, coherence=, transition=, "
				  "fill=, reset= or --");
		assert_string_equal(vm.name, "a"); /* the line on the console names it */
	}
}

TEST(a_size_has_a_number_and_an_optional_unit)
{
	static const struct {
		const char *line;
		uint64_t bytes;
	} good[] = {
		{"vm a mem=2M", 2 * MiB}, {"vm a mem=2048K", 2 * MiB},  {"vm a mem=2097152", 2 * MiB},
		{"vm a mem=1G", GiB},     {"vm a mem=0064M", 64 * MiB}, {"vm a mem=1024G", 1024 * GiB},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_vm(good[i].line);
		assert_int_equal(vm.memory, good[i].bytes);
	}
}

TEST(a_bad_size_is_refused)
{
	static const char *const words[] = {
		"mem=",
		"mem=M",
		"mem=64m",
		"mem=64MB",
		"mem=-1M",
		"mem=+64M",
		"mem=0x40M",
		"mem=1.5G",
		"mem=64M,",
		"mem=sixty",
		"mem=M64",
		"mem=64KM",
		"mem=1M",
		"mem=0",
		"mem=2M1",
		"mem=2049K",
		"mem=2097153",
		"mem=1025G",
		"mem=18446744073709551618M",
		"mem=17179869185G",
		"mem=999999999999G",
		"mem=99999999999999999999999",
	};
	char line[64];

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		strcpy(line, "vm a ");
		assert_vm_refused(strcat(line, words[i]), words[i], "from 2M to 1024G");
	}
}

TEST(a_reset_is_the_end_or_a_restart)
{
	assert_vm("vm a --");
	assert_false(vm.restart);
	assert_vm("vm a reset=restart --");
	assert_true(vm.restart);
	assert_vm("vm a reset=restart reset=end --");
	assert_false(vm.restart);
	assert_vm_refused("vm a reset=again --", "reset=again", "reset=end or reset=restart");
}

TEST(one_to_sixteen_cpus_are_offered)
{
	static const char *const words[] = {"cpus=", "cpus=0", "cpus=17", "cpus=1x", "cpus=1M"};
	char line[64];

	assert_vm("vm a cpus=16");
	assert_int_equal(vm.cpus, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		strcpy(line, "vm a ");
		assert_vm_refused(strcat(line, words[i]), words[i], "cpus=1 to cpus=16");
	}
}

TEST(the_iommu_is_off_or_on_with_its_options_in_any_order)
{
	assert_vm("vm a iommu=off");
	assert_false(vm.iommu);
	assert_vm("vm a iommu=on");
	assert_true(vm.iommu && !vm.snoop_control && vm.caching_mode);
	assert_vm("vm a iommu=on,sc");
	assert_true(vm.iommu && vm.snoop_control && vm.caching_mode);
	assert_vm("vm a iommu=on,cm=off,sc");
	assert_true(vm.iommu && vm.snoop_control && !vm.caching_mode && !vm.strict);
	assert_vm("vm a iommu=on,strict");
	assert_true(vm.iommu && vm.strict && !vm.snoop_control && vm.caching_mode);
	assert_vm("vm a iommu=on,strict,sc");
	assert_true(vm.iommu && vm.strict && vm.snoop_control);
}

TEST(a_second_iommu_word_takes_the_place_of_the_first)
{
	assert_vm("vm a iommu=on,sc,cm=off,strict iommu=on");
	assert_true(vm.iommu && vm.caching_mode && !vm.snoop_control && !vm.strict);
	assert_vm("vm a iommu=on,sc iommu=off");
	assert_true(!vm.iommu && !vm.snoop_control);
}

TEST(bad_iommu_options_are_refused)
{
	static const char *const words[] = {"iommu=",         "iommu=yes",      "iommu=on,",    "iommu=off,sc",
					    "iommu=on,cm",    "iommu=on,cm=on", "iommu=on,,sc", "iommu=sc",
					    "iommu=on,stric", "iommu=strict",   "iommu=o",      "iommu=on,scc",
					    "iommu=,on",      "iommu=onsc"};
	char line[64];

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		strcpy(line, "vm a ");
		assert_vm_refused(strcat(line, words[i]), words[i], "iommu=on[,sc][,cm=off][,strict]");
	}
}

TEST(up_to_8_devices_are_taken_and_a_ninth_refused)
{
	char line[128] = "vm a";

	for (unsigned i = 0; i < VM_DEVICES_MAX; i++) strcat(line, " dev=edu");
	assert_vm(line);
	assert_int_equal(vm.devices, VM_DEVICES_MAX);
	assert_vm_refused(strcat(line, " dev=edu,snoop"), "dev=edu,snoop", "at most 8 devices");
}

TEST(an_unknown_device_is_refused)
{
	static const char *const words[] = {
		"dev=",    "dev=e1000",    "dev=edu,",         "dev=edu,nosnoop", "dev=edu,snoop,snoop",
		"dev=EDU", "dev=testdev,", "dev=testdev,snoop"};
	char line[64];

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		strcpy(line, "vm a ");
		assert_vm_refused(strcat(line, words[i]), words[i], "dev=edu[,snoop] or dev=testdev");
	}
}

TEST(the_four_policies_are_known_and_no_other)
{
	static const char *const words[] = {"memtype=", "memtype=kvm-6.8", "memtype=kvm-6.77", "memtype=kvm",
					    "memtype=kvm-6.111111111111111111"};
	char line[64];

	assert_vm("vm a memtype=kvm-6.6");
	assert_int_equal(vm.policy, MEMTYPE_KVM_6_6);
	assert_vm("vm a memtype=kvm-6.7");
	assert_int_equal(vm.policy, MEMTYPE_KVM_6_7);
	assert_vm("vm a memtype=kvm-6.11");
	assert_int_equal(vm.policy, MEMTYPE_KVM_6_11);
	assert_vm("vm a memtype=kvm-6.16");
	assert_int_equal(vm.policy, MEMTYPE_KVM_6_16);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		strcpy(line, "vm a ");
		assert_vm_refused(strcat(line, words[i]), words[i], "kvm-6.6, kvm-6.7, kvm-6.11 or kvm-6.16");
	}
}

TEST(transitions_and_fills_have_two_ways_each)
{
	assert_vm("vm a transition=retype transition=zap fill=table fill=leaf");
	assert_false(vm.retype);
	assert_false(vm.fill_table);
	assert_vm_refused("vm a transition=lazy", "transition=lazy", "transition=zap or retype");
	assert_vm_refused("vm a transition=", "transition=", "transition=zap or retype");
	assert_vm_refused("vm a fill=tables", "fill=tables", "fill=leaf or table");
}

TEST(the_guests_command_line_is_kept_as_it_was_written)
{
	assert_vm("vm a -- vm b mem=x --  \"y z\" ");
	assert_string_equal(vm.command_line, "vm b mem=x --  \"y z\" ");
	assert_vm("vm a --");
	assert_string_equal(vm.command_line, "");
	assert_vm("vm a -- ");
	assert_string_equal(vm.command_line, "");
	assert_vm("vm a --  x"); /* one blank ends the word; the second is the guest's */
	assert_string_equal(vm.command_line, " x");
}

TEST(a_long_word_is_cut_for_the_console_and_kept_printable)
{
	char line[400] = "vm a ";

	memset(line + 5, 'x', 300);
	assert_int_equal(vm_options_parse(line, &vm, &error), -EINVAL);
	assert_int_equal(strlen(error.word), OPTION_WORD_MAX);
	assert_vm_refused("vm a \x1b[2J\r\n\x7f\xff", "?[2J????", "mem=");
	assert_hv_refused("\x01", "?", "console=e9");
}

TEST(the_hypervisors_line_may_be_empty)
{
	memset(&hv, 0xff, sizeof(hv));
	assert_int_equal(hv_options_parse("  ", &hv, &error), 0);
	assert_false(hv.console_e9);
	assert_false(hv.check);
	assert_int_equal(hv.mask, 0);
}

TEST(every_word_of_the_hypervisors_line_is_taken)
{
	assert_int_equal(hv_options_parse("console=e9 check check=always mask=timer,vpid,ept-ad "
					  "mask=ept-2m,ept-1g,invept-single",
					  &hv, &error),
			 0);
	assert_true(hv.console_e9);
	assert_true(hv.check);
	assert_true(hv.check_always);
	assert_int_equal(hv.mask,
			 MASK_TIMER | MASK_VPID | MASK_EPT_AD | MASK_EPT_2M | MASK_EPT_1G | MASK_INVEPT_SINGLE);
	assert_false(hv.console_guest);
	assert_int_equal(hv_options_parse("console=guest mask=ept-1g", &hv, &error), 0);
	assert_true(hv.console_guest);
	assert_false(hv.console_e9);
	assert_int_equal(hv.mask, MASK_EPT_1G);
}

TEST(a_wrong_word_on_the_hypervisors_line_is_named)
{
	static const char *const words[] = {"console", "console=", "console=e90", "Check", "mask", "vm", "--"};
	static const char *const masks[] = {"mask=",       "mask=tsc",         "mask=timer,",
					    "mask=,timer", "mask=timer,,vpid", "mask=timervpid"};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		assert_hv_refused(words[i], words[i],
				  "console=e9, console=guest, check, check=always, gdb, trace=, stop= or mask=");
	for (unsigned i = 0; i < ARRAY_SIZE(masks); i++) assert_hv_refused(masks[i], masks[i], "timer, vpid, ept-ad");
}

TEST(trace_and_stop_take_their_names_and_no_other)
{
	static const char *const wrong[] = {"trace=",     "trace=on",   "trace=exits,events", "stop=",
					    "stop=never", "stop=exits", "stop=entry,",        "trace=entry"};

	assert_int_equal(hv_options_parse("trace=exits gdb stop=transition", &hv, &error), 0);
	assert_true(hv.gdb);
	assert_int_equal(hv.trace, TRACE_EXITS);
	assert_int_equal(hv.stop, STOP_TRANSITION);
	assert_int_equal(hv_options_parse("stop=entry trace=events stop=vmcall", &hv, &error), 0);
	assert_int_equal(hv.trace, TRACE_EVENTS);
	assert_int_equal(hv.stop, STOP_ENTRY | STOP_VMCALL);
	assert_int_equal(hv_options_parse("stop=exit,kill", &hv, &error), 0);
	assert_int_equal(hv.stop, STOP_EXIT | STOP_KILL);
	assert_int_equal(hv_options_parse("trace=events trace=off stop=kill", &hv, &error), 0);
	assert_int_equal(hv.trace, TRACE_OFF);
	assert_int_equal(hv.stop, STOP_KILL);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_hv_refused(wrong[i], wrong[i], "trace=exits, events or off; stop=entry");
}

TEST(port_0xe9_has_one_use)
{
	assert_hv_refused("trace=events console=e9", "console=e9", "trace= or console=e9");
	assert_hv_refused("console=e9 check trace=exits", "trace=exits", "trace= or console=e9");
	assert_int_equal(hv_options_parse("trace=off console=e9", &hv, &error), 0);
}

TEST(initrd_stands_alone)
{
	assert_true(options_is_initrd("initrd"));
	assert_true(options_is_initrd(" \tinitrd  "));
	assert_false(options_is_initrd(""));
	assert_false(options_is_initrd("initrd x"));
	assert_false(options_is_initrd("initrd2"));
	assert_false(options_is_initrd("init"));
	assert_false(options_is_initrd("vm initrd"));
}

TEST(what_grub_put_before_quotes_and_backslashes_is_taken_back)
{
	static const char *const lines[][2] = {
		{"", ""},
		{"vm a mem=2M -- root=/dev/sda1 quiet", "vm a mem=2M -- root=/dev/sda1 quiet"},
		{"it\\'s", "it's"},
		{"say\\\"hi\\\"", "say\"hi\""},
		{"a\\\\b \\\\\\\\c", "a\\b \\\\c"},
		{"\"two words\" x", "\"two words\" x"},
		{"\\n", "\\n"},
		{"end\\", "end\\"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char line[64];

		strcpy(line, lines[i][0]);
		options_unescape(line);
		assert_string_equal(line, lines[i][1]);
	}
}
