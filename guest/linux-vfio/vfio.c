/* SPDX-License-Identifier: MIT */
/*
 * A user of VFIO, as small as one can be (Linux's Documentation/driver-api/vfio.rst): it takes the
 * device BB:DD.F through its group, maps a buffer for it, lets edu copy from one half to the other
 * by way of its own memory, and gets its MSI by an eventfd. Each step is named on the console
 * before it is taken, so that what the hypervisor tells stands behind the step that caused it.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

/* edu's registers (QEMU docs/specs/edu). */
#define EDU_ID          0x00
#define EDU_IRQ_ACK     0x64
#define EDU_DMA_FROM    0x80
#define EDU_DMA_TO      0x88
#define EDU_DMA_COUNT   0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_START       1
#define EDU_TO_MEMORY   2
#define EDU_INTERRUPT   4
#define EDU_BUFFER      0x40000
#define EDU_SIZE        4096
#define EDU_REVISION    0x010000edU

#define EXIT_PORT 0xf4

#define IOVA     0x1000000 /* of 28 bits, all that the device has */
#define HALF     EDU_SIZE
#define PATIENCE 2000 /* milliseconds for an interrupt */

static volatile uint8_t *bar;
static uint8_t *buffer;
static int device, msi;
static size_t bar_size;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Name a step, and wait until the console has it. */
static void step(const char *name)
{
	printf("vfio: %s\n", name);
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
}

static int call(int fd, const char *name, unsigned long request, void *argument)
{
	int result;

	step(name);
	result = ioctl(fd, request, argument);
	if (result < 0) fail(name);
	return result;
}

static int open_group(const char *bdf)
{
	char link[128], group[128], path[64];
	ssize_t length;
	int fd;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	length = readlink(link, group, sizeof(group) - 1);
	if (length < 0) fail(link);
	group[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(group, '/') + 1);
	fd = open(path, O_RDWR);
	if (fd < 0) fail(path);
	return fd;
}

static void map_buffer(int container)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = IOVA,
		.size = 2 * HALF,
	};

	buffer = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED) fail("mmap");
	map.vaddr = (uintptr_t)buffer;
	call(container, "MAP_DMA", VFIO_IOMMU_MAP_DMA, &map);
}

static void unmap_buffer(int container)
{
	struct vfio_iommu_type1_dma_unmap unmap = {.argsz = sizeof(unmap), .iova = IOVA, .size = 2 * HALF};

	call(container, "UNMAP_DMA", VFIO_IOMMU_UNMAP_DMA, &unmap);
	munmap(buffer, 2 * HALF);
}

/* Its registers in our memory, and bus mastering on. */
static void open_device(int group, char *bdf)
{
	struct vfio_region_info registers = {.argsz = sizeof(registers), .index = VFIO_PCI_BAR0_REGION_INDEX};
	struct vfio_region_info config = {.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX};
	uint16_t command;

	device = call(group, "GET_DEVICE_FD", VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &registers) ||
	    ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config))
		fail("GET_REGION_INFO");
	bar_size = registers.size;
	bar = mmap(NULL, bar_size, PROT_READ | PROT_WRITE, MAP_SHARED, device, (off_t)registers.offset);
	if (bar == MAP_FAILED) fail("mmap of the BAR");
	pread(device, &command, sizeof(command), (off_t)config.offset + PCI_COMMAND);
	command |= PCI_COMMAND_MASTER;
	pwrite(device, &command, sizeof(command), (off_t)config.offset + PCI_COMMAND);
}

static void set_msi(int32_t fd)
{
	char space[sizeof(struct vfio_irq_set) + sizeof(fd)];
	struct vfio_irq_set *set = (struct vfio_irq_set *)space;

	*set = (struct vfio_irq_set){
		.argsz = sizeof(space),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSI_IRQ_INDEX,
		.count = 1,
	};
	memcpy(set->data, &fd, sizeof(fd));
	call(device, fd < 0 ? "SET_IRQS (off)" : "SET_IRQS (MSI)", VFIO_DEVICE_SET_IRQS, set);
}

static void write64(unsigned offset, uint64_t value) { *(volatile uint64_t *)(bar + offset) = value; }

static void write32(unsigned offset, uint32_t value) { *(volatile uint32_t *)(bar + offset) = value; }

static uint32_t read32(unsigned offset) { return *(volatile uint32_t *)(bar + offset); }

/* One transfer, and its interrupt. */
static void dma(uint64_t from, uint64_t to, unsigned command)
{
	struct pollfd ready = {.fd = msi, .events = POLLIN};
	uint64_t count;

	write64(EDU_DMA_FROM, from);
	write64(EDU_DMA_TO, to);
	write64(EDU_DMA_COUNT, EDU_SIZE);
	write32(EDU_DMA_COMMAND, EDU_START | EDU_INTERRUPT | command);
	if (poll(&ready, 1, PATIENCE) != 1 || read(msi, &count, sizeof(count)) != sizeof(count)) {
		printf("vfio: FAIL: no interrupt\n");
		exit(1);
	}
	write32(EDU_IRQ_ACK, ~0U);
	if (count != 1 || read32(EDU_DMA_COMMAND) & EDU_START) {
		printf("vfio: FAIL: %lu interrupts, command 0x%x\n", count, read32(EDU_DMA_COMMAND));
		exit(1);
	}
}

static uint32_t sum(const uint8_t *bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < HALF; i++) value = value * 31 + bytes[i];
	return value;
}

/* Bytes that no other round has, there and back: both halves are what the first was. */
static void copy(unsigned seed)
{
	uint32_t before;

	if (read32(EDU_ID) != EDU_REVISION) {
		printf("vfio: FAIL: it is no edu: 0x%x\n", read32(EDU_ID));
		exit(1);
	}
	for (unsigned i = 0; i < HALF; i++) buffer[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
	memset(buffer + HALF, 0, HALF);
	before = sum(buffer);
	step("DMA to the device");
	dma(IOVA, EDU_BUFFER, 0);
	step("DMA to memory");
	dma(EDU_BUFFER, IOVA + HALF, EDU_TO_MEMORY);
	printf("vfio: checksums 0x%x and 0x%x after the transfers, expected 0x%x: %s\n", sum(buffer),
	       sum(buffer + HALF), before, before == sum(buffer) && before == sum(buffer + HALF) ? "equal" : "FAIL");
	if (before != sum(buffer) || before != sum(buffer + HALF)) exit(1);
}

/* One use of the device, from its group to its group. */
static void use(char *bdf, unsigned seed)
{
	int container, group;

	step("open");
	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0) fail("/dev/vfio/vfio");
	group = open_group(bdf);
	call(group, "GROUP_SET_CONTAINER", VFIO_GROUP_SET_CONTAINER, &container);
	call(container, "SET_IOMMU", VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	printf("vfio: the IOMMU %s force snooping\n",
	       ioctl(container, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU) ? "can" : "cannot");
	map_buffer(container);
	open_device(group, bdf);
	msi = eventfd(0, 0);
	set_msi(msi);
	copy(seed);
	set_msi(-1);
	step("close");
	munmap((void *)bar, bar_size);
	close(device);
	unmap_buffer(container);
	call(group, "UNSET_CONTAINER", VFIO_GROUP_UNSET_CONTAINER, NULL);
	step("done");
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: vfio DDDD:BB:DD.F SEED | vfio end STATUS\n");
		return 2;
	}
	if (strcmp(argv[1], "end"))
		use(argv[1], (unsigned)atoi(argv[2]));
	else if (!ioperm(EXIT_PORT, 1, 1))
		outb((unsigned char)atoi(argv[2]), EXIT_PORT); /* the machine ends */
	return 0;
}
