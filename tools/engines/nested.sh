# shellcheck shell=bash disable=SC2154 # the variables of tools/boot: dir, image, mem, cpus, ...
# SPDX-License-Identifier: MIT
# The engine nested: Debian's cloud kernel with KVM inside Bochs, and in it the very QEMU command
# of the engine qemu. Sourced by tools/boot. It needs no VMX of the host and is slow, but the KVM is real.
# Three disks: isolinux (which reads faster than GRUB) with the kernel and a small initramfs; QEMU
# with its libraries and KVM's modules; the jobs, which alone belong to one run. The first two are prepared once, under
# $BUILD/nested, and again when a package they come from has another version.

# shellcheck source=tools/kernel.sh
source "$tools/kernel.sh"
nested_cache=${BUILD:-build}/nested
nested_isolinux=/usr/lib/ISOLINUX nested_syslinux=/usr/lib/syslinux/modules/bios
nested_cpu_model=corei7_haswell_4770 # the safest for this kernel

# The kernel's command line. The clock is told, since Bochs's is one tick per instruction; then
# what the kernel would do for long and nobody needs here is left out.
nested_skip=load_system_certificate_list,trace_eval_init,tracer_init_tracefs,\
ftrace_check_for_weak_functions,cubictcp_register,bpf_key_sig_kfuncs_init,bpf_tcp_ca_kfunc_init,\
bpf_rstat_kfunc_init,bpf_prog_test_run_init,kfunc_init
nested_command_line="console=ttyS0,115200 printk.devkmsg=on rdinit=/init panic=-1 loglevel=5 \
tsc_early_khz=$((bochs_ips / 1000)) tsc=reliable noxsaves nokaslr mitigations=off init_on_alloc=0 \
apparmor=0 audit=0 cryptomgr.notests initcall_blacklist=$nested_skip"

nested_check() {
	local tool
	bochs_check
	tcg_check
	for tool in busybox modprobe depmod xz cpio mke2fs objcopy xorriso; do
		PATH=$PATH:/sbin:/usr/sbin command -v "$tool" >/dev/null ||
			fail 2 "$tool is missing: run tools/need nested"
	done
	[ -r "$nested_isolinux/isolinux.bin" ] && [ -r "$nested_syslinux/ldlinux.c32" ] ||
		fail 2 "isolinux is missing: run tools/need nested"
	nested_prepare
	[ -s "$nested_cache/versions" ] || fail 2 "cannot prepare the engine nested: see $nested_cache/log"
}

# What the prepared pieces depend on: packages by version, and these files by content. Where apt's
# lists are absent the kernel is taken as unchanged.
nested_versions() {
	kernel_candidate ||
		grep -s Candidate "$nested_cache/versions"
	dpkg-query -W -f '${Package} ${Version}\n' qemu-system-x86 seabios busybox-static libc6 isolinux
	cat "$tools/engines/nested.sh" "$tools/engines/nested-init" "$tools/kernel.sh" | sha256sum
}

# Bring the prepared pieces up to date; $nested_cache/versions is absent when that failed. (The
# caller must not test this function's status: that would turn errexit off in nested_build.)
nested_prepare() {
	local lock versions
	mkdir -p "$nested_cache" || return
	exec {lock}>"$nested_cache/lock"
	flock "$lock"
	versions=$(nested_versions)
	if [ "$versions" != "$(cat "$nested_cache/versions" 2>/dev/null)" ]; then
		echo "tools/boot: preparing the engine nested (once)" >&2
		rm -f "$nested_cache/versions"
		(
			set -e
			nested_build
			nested_versions >"$nested_cache/versions"
		) >"$nested_cache/log" 2>&1
	fi
	exec {lock}>&-
}

# Make linux.img and qemu.img. New files replace old ones whole: a run that has one open keeps it.
nested_build() {
	local work="$nested_cache/work" version PATH=$PATH:/sbin:/usr/sbin
	rm -rf "$work"
	mkdir -p "$work"/{deb,linux/{boot,isolinux},initramfs/{bin,dev,proc,qemu,jobs},qemu}
	kernel_unpack "$work/deb"
	version=$(ls "$work/deb/lib/modules")

	cp /bin/busybox "$work/initramfs/bin/"
	install -m 755 "$tools/engines/nested-init" "$work/initramfs/init"
	kernel_modules "$work/deb" "$work/initramfs/modules" ata_piix sd_mod
	(cd "$work/initramfs" && find . | cpio -o -H newc --owner=0:0) >"$work/linux/boot/initramfs"
	cp "$work/deb/boot/vmlinuz-$version" "$work/linux/boot/vmlinuz"
	printf '%s\n' 'DEFAULT linux' 'LABEL linux' 'KERNEL /boot/vmlinuz' \
		"APPEND initrd=/boot/initramfs $nested_command_line" >"$work/linux/isolinux/isolinux.cfg"
	cp "$nested_isolinux/isolinux.bin" "$nested_syslinux/ldlinux.c32" "$work/linux/isolinux/"
	xorriso -as mkisofs -quiet -o "$work/linux.iso" -b isolinux/isolinux.bin -no-emul-boot \
		-boot-load-size 4 -boot-info-table -isohybrid-mbr "$nested_isolinux/isohdpfx.bin" "$work/linux"
	bochs_disk "$work/linux.iso" "$work/linux.img"

	nested_qemu "$work/qemu"
	kernel_modules "$work/deb" "$work/qemu/modules" kvm_intel
	sed -i 's/^kvm-intel.ko$/& nested=1/' "$work/qemu/modules/order"
	nested_ext2 "$work/qemu" "$work/qemu.img"
	mv -f "$work/linux.img" "$work/qemu.img" "$nested_cache/"
	rm -rf "$work"
}

# Copy QEMU, the libraries it loads and the firmware of its PC to $1, at the paths they have here.
nested_qemu() {
	local qemu=/usr/bin/qemu-system-x86_64 file
	mkdir -p "$1"/{dev,tmp,jobs}
	: >"$1/qemu" # how nested-init knows this disk
	{
		echo "$qemu"
		echo /usr/share/seabios/bios-256k.bin
		echo /usr/share/qemu/kvmvapic.bin
		ldd "$qemu" | grep -o '/[^ ]*'
	} | while read -r file; do
		install -D "$file" "$1/$file"
	done
}

# Make an ext2 disk $2 with the files of the folder $1.
nested_ext2() {
	local kib
	kib=$(du -sk --apparent-size "$1" | cut -f 1)
	mke2fs -q -t ext2 -m 0 -b 4096 -d "$1" "$2.new" "$((kib + kib / 16 + 2048))k" >/dev/null
	bochs_disk "$2.new" "$2"
	rm -f "$2.new"
}

# One job for each image: a name (- when it is the only one), the seconds it may take, and QEMU's
# options. The seconds are the emulated clock's, which goes faster than the wall's while the
# machine is idle: so a hang of one image is ended there, and the others still run.
nested_job() {
	local options
	mapfile -t options < <(qemu_kvm_cpu; qemu_machine "$mem" "$cpus" "$2" "${trace:+/dev/ttyS2}")
	if [ ${#images[@]} -eq 1 ]; then
		echo "- 1000000 ${options[*]}"
	else
		echo "${1// /_} $timeout ${options[*]}"
	fi
}

nested_run() {
	local number=0 PATH=$PATH:/sbin:/usr/sbin
	mkdir "$dir/jobs"
	for image in "${images[@]}"; do
		cp "$image" "$dir/jobs/$number.iso"
		nested_job "$image" "/jobs/$number.iso"
		number=$((number + 1))
	done >"$dir/jobs/jobs"
	nested_machine
}

# Boot the outer machine with the jobs of the folder $dir/jobs; its COM2 on standard output.
nested_machine() {
	local com3=0
	[ -z "$trace" ] || com3=1
	nested_ext2 "$dir/jobs" "$dir/jobs.img"
	# Bochs locks an image by a file beside its name.
	ln -s "$(realpath "$nested_cache/linux.img")" "$dir/linux.img"
	ln -s "$(realpath "$nested_cache/qemu.img")" "$dir/qemu.img"
	bochs_config "${cpu_model:-$nested_cpu_model}" 1 $((mem + 192)) com2 >"$dir/bochsrc"
	cat >>"$dir/bochsrc" <<-END
		error: action=ignore
		ata0-master: type=disk, path=linux.img, mode=flat, cylinders=0
		ata0-slave: type=disk, path=qemu.img, mode=flat, cylinders=0
		ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
		ata1-master: type=disk, path=jobs.img, mode=flat, cylinders=0
		com1: enabled=1, mode=file, dev=linux.log
		com3: enabled=$com3, mode=file, dev=trace
	END
	bochs_command
}

nested_trace() {
	cat "$dir/trace"
}

# Keep the outer Linux's log when something went wrong: it tells what.
nested_why() {
	cp "$dir/linux.log" "$nested_cache/failure.log" 2>/dev/null
	echo "the outer Linux's log is $nested_cache/failure.log"
}
