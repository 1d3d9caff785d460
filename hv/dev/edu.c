/* SPDX-License-Identifier: MIT */
/*
 * "edu", QEMU's published teaching device (1234:11e8; QEMU docs/specs/edu): identification, liveness,
 * factorial, DMA between a 4 KiB buffer and memory, INTx and MSI; plus, as our extension, a PCI
 * Express capability whose "Enable No Snoop" resets to 1. Factorial and DMA are done before the write
 * that starts them returns, so their busy bits are never seen set and a second transfer cannot
 * overtake the first. Only where a DMA waits (coherence=model) may another CPU see it run, and what it
 * writes to the DMA's registers then is dropped, as QEMU does. Every DMA and every MSI leaves through
 * its board.
 */
#include "hv/dev/devices.h"

#include "hv/dev/irq.h"
#include "hv/dev/pci.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

#define EDU_BAR_SIZE    0x100000ULL
#define EDU_BUFFER      0x40000ULL /* device address of the DMA buffer */
#define EDU_BUFFER_SIZE 4096

struct edu {
	const struct board *board;
	struct pci_function pci;
	unsigned region; /* of its BAR, on the MMIO bus */
	bool intx_level; /* as last told to the board */
	bool no_snoop;   /* as last told to the board */
	uint32_t liveness, factorial, status, interrupt_status;
	uint64_t dma_source, dma_destination, dma_count, dma_command;
	uint8_t buffer[EDU_BUFFER_SIZE];
};

/* Offsets in its configuration space. */
#define EDU_MSI  0x40
#define EDU_PCIE 0x50

/* The words behind dev=edu: the device never does DMA with the No Snoop attribute. */
static const char *const words[] = {"snoop", NULL};
#define EDU_SNOOP (1U << 0)

#define IDENTIFICATION 0x010000edU /* major version 1, minor 0 */

/* Registers in its BAR: 4-byte accesses only, from DMA_SOURCE on 4 or 8 bytes. */
#define REG_IDENTIFICATION   0x00
#define REG_LIVENESS         0x04
#define REG_FACTORIAL        0x08
#define REG_STATUS           0x20
#define REG_INTERRUPT_STATUS 0x24
#define REG_INTERRUPT_RAISE  0x60
#define REG_INTERRUPT_ACK    0x64
#define REG_DMA_SOURCE       0x80
#define REG_DMA_DESTINATION  0x88
#define REG_DMA_COUNT        0x90
#define REG_DMA_COMMAND      0x98

#define STATUS_FACTORIAL_IRQ 0x80
#define IRQ_FACTORIAL        0x001
#define IRQ_DMA              0x100
#define DMA_RUN              0x1
#define DMA_TO_MEMORY        0x2
#define DMA_RAISE_IRQ        0x4
#define DMA_MASK             BITS(27, 0) /* addresses are cut to this, QEMU's default */

/* MSI capability with a 64-bit address, one vector (PCI 3.0 6.8.1). */
#define CAP_MSI     0x05
#define MSI_CONTROL (EDU_MSI + 2)
#define MSI_ENABLE  0x0001
#define MSI_64_BIT  0x0080
#define MSI_ADDRESS (EDU_MSI + 4)
#define MSI_UPPER   (EDU_MSI + 8)
#define MSI_DATA    (EDU_MSI + 12)

/* PCI Express capability (PCIe 5.0 7.5.3). */
#define CAP_PCIE                 0x10
#define PCIE_VERSION_2           0x0002
#define PCIE_INTEGRATED_ENDPOINT 0x0090
#define PCIE_DEVICE_CAPABILITIES (EDU_PCIE + 4)
#define PCIE_ROLE_BASED_ERRORS   0x00008000U
#define PCIE_DEVICE_CONTROL      (EDU_PCIE + 8)
#define PCIE_CONTROL_RESET       0x2810 /* 512-byte reads, No Snoop, relaxed ordering */
#define PCIE_CONTROL_WRITABLE    0x78ff
#define PCIE_CONTROL_NO_SNOOP    0x0800
#define PCIE_STATUS_ERRORS       0x000f

static bool command(const struct edu *edu, uint16_t bit) { return pci_get16(&edu->pci, PCI_COMMAND) & bit; }

static bool msi_enabled(const struct edu *edu) { return pci_get16(&edu->pci, MSI_CONTROL) & MSI_ENABLE; }

/* Bring Interrupt Status and the INTA# pin in line with the causes (PCI 3.0 6.2.2, 6.2.3). */
static void update_intx(struct edu *edu)
{
	bool asserted = edu->interrupt_status && !msi_enabled(edu);
	bool level = asserted && !command(edu, PCI_COMMAND_INTX_OFF);

	edu->pci.config16[PCI_STATUS / 2] = PCI_STATUS_CAPS | (asserted ? PCI_STATUS_INTX : 0);
	if (level == edu->intx_level) return;
	edu->intx_level = level;
	edu->board->intx(edu->board->ctx, edu->board->source_id, level);
}

/* An MSI is a memory write like any other: without bus mastering it is not sent. */
static void send_msi(const struct edu *edu)
{
	const struct board *board = edu->board;
	uint64_t address = pci_get32(&edu->pci, MSI_ADDRESS) | (uint64_t)pci_get32(&edu->pci, MSI_UPPER) << 32;

	if (command(edu, PCI_COMMAND_MASTER))
		board->message(board->ctx, board->source_id, address, pci_get16(&edu->pci, MSI_DATA));
}

static void raise_interrupt(struct edu *edu, uint32_t causes)
{
	edu->interrupt_status |= causes;
	if (edu->interrupt_status && msi_enabled(edu)) send_msi(edu);
	update_intx(edu);
}

/* Modulo 2^32, where everything from 34! on is 0: it has 32 factors of 2. */
static uint32_t factorial(uint32_t n)
{
	uint32_t result = 1;

	if (n >= 34) return 0;
	for (; n > 1; n--) result *= n;
	return result;
}

static void compute_factorial(struct edu *edu, uint32_t n)
{
	edu->factorial = factorial(n);
	if (edu->status & STATUS_FACTORIAL_IRQ) raise_interrupt(edu, IRQ_FACTORIAL);
}

/* Where in the buffer 'count' bytes at device address 'address' are; NULL unless all are. */
static uint8_t *buffer_range(struct edu *edu, uint64_t address, uint64_t count)
{
	uint64_t offset = address - EDU_BUFFER;

	if (offset > EDU_BUFFER_SIZE || count > EDU_BUFFER_SIZE - offset) return NULL;
	return edu->buffer + offset;
}

/*
 * Move the bytes. A transfer that leaves the buffer, or that is not allowed on the bus, is
 * dropped; what the bus refuses to be read is all ones.
 */
static int transfer(struct edu *edu, bool to_memory)
{
	uint64_t bus = (to_memory ? edu->dma_destination : edu->dma_source) & DMA_MASK;
	uint64_t device = to_memory ? edu->dma_source : edu->dma_destination;
	uint8_t *buffer = buffer_range(edu, device, edu->dma_count);

	if (!buffer || !edu->dma_count || !command(edu, PCI_COMMAND_MASTER)) return 0;
	if (to_memory)
		return edu->board->dma_write(edu->board->ctx, edu->board->source_id, bus, buffer, edu->dma_count);
	memset(buffer, 0xff, edu->dma_count);
	return edu->board->dma_read(edu->board->ctx, edu->board->source_id, bus, buffer, edu->dma_count);
}

/* A transfer that was started, or waited. */
static void go_on(void *state)
{
	struct edu *edu = state;

	if (!(edu->dma_command & DMA_RUN) || transfer(edu, edu->dma_command & DMA_TO_MEMORY) == -EAGAIN) return;
	edu->dma_command &= ~(uint64_t)DMA_RUN;
	if (edu->dma_command & DMA_RAISE_IRQ) raise_interrupt(edu, IRQ_DMA);
}

static void dma_command(struct edu *edu, uint64_t value)
{
	if (!(value & DMA_RUN)) return;
	edu->dma_command = value;
	go_on(edu);
}

static uint64_t read_register(const struct edu *edu, uint64_t offset)
{
	switch (offset) {
	case REG_IDENTIFICATION: return IDENTIFICATION;
	case REG_LIVENESS: return edu->liveness;
	case REG_FACTORIAL: return edu->factorial;
	case REG_STATUS: return edu->status;
	case REG_INTERRUPT_STATUS: return edu->interrupt_status;
	case REG_DMA_SOURCE: return edu->dma_source;
	case REG_DMA_DESTINATION: return edu->dma_destination;
	case REG_DMA_COUNT: return edu->dma_count;
	case REG_DMA_COMMAND: return edu->dma_command;
	default: return ~0ULL;
	}
}

static void write_register(struct edu *edu, uint64_t offset, uint64_t value)
{
	if (offset >= REG_DMA_SOURCE && edu->dma_command & DMA_RUN) return;
	switch (offset) {
	case REG_LIVENESS: edu->liveness = (uint32_t)~value; break;
	case REG_FACTORIAL: compute_factorial(edu, (uint32_t)value); break;
	case REG_STATUS: edu->status = value & STATUS_FACTORIAL_IRQ; break;
	case REG_INTERRUPT_RAISE: raise_interrupt(edu, (uint32_t)value); break;
	case REG_INTERRUPT_ACK:
		edu->interrupt_status &= ~(uint32_t)value;
		update_intx(edu);
		break;
	case REG_DMA_SOURCE: edu->dma_source = value; break;
	case REG_DMA_DESTINATION: edu->dma_destination = value; break;
	case REG_DMA_COUNT: edu->dma_count = value; break;
	case REG_DMA_COMMAND: dma_command(edu, value); break;
	default: /* read-only, or nothing there */ break;
	}
}

/*
 * The specification says which widths are allowed, not what the others do. They do here what they
 * do in QEMU: 8 bytes below the DMA registers read as ones, what is narrower than 4 bytes or not
 * aligned to 4 reads as 0, and no such write does anything.
 */
static void edu_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	bool whole = width >= 4 && offset % 4 == 0;
	bool valid = whole && (width == 4 || offset >= REG_DMA_SOURCE);

	if (!write)
		*value = valid ? read_register(device, offset) : whole ? ~0ULL : 0;
	else if (valid)
		write_register(device, offset, *value);
}

/* The configuration space was written: act on whatever is different now. */
static void config_written(void *device)
{
	struct edu *edu = device;
	bool no_snoop = pci_get16(&edu->pci, PCIE_DEVICE_CONTROL) & PCIE_CONTROL_NO_SNOOP;
	uint32_t bar = pci_get32(&edu->pci, PCI_BAR0);

	bus_move(edu->board->mmio, edu->region, bar, command(edu, PCI_COMMAND_MEMORY) ? EDU_BAR_SIZE : 0);
	update_intx(edu);
	if (no_snoop == edu->no_snoop) return;
	edu->no_snoop = no_snoop;
	edu->board->no_snoop(edu->board->ctx, edu->board->source_id, no_snoop);
}

static const struct pci_register registers[] = {
	{PCI_VENDOR_ID, 0x11e81234, 0, 0},
	{PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_STATUS_CAPS << 16,
	 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF, 0},
	{PCI_REVISION, 0x00ff0010, 0, 0},                 /* none of the defined classes, revision 16 */
	{PCI_BAR0, 0, (uint32_t) ~(EDU_BAR_SIZE - 1), 0}, /* memory, 32-bit, not prefetchable */
	{PCI_SUBSYSTEM, 0x11001af4, 0, 0},
	{PCI_CAP_POINTER, EDU_MSI, 0, 0},
	{PCI_INTERRUPT_LINE, 1 << 8, 0xff, 0}, /* INTA# */
	{EDU_MSI, CAP_MSI | EDU_PCIE << 8 | MSI_64_BIT << 16, MSI_ENABLE << 16, 0},
	{MSI_ADDRESS, 0, 0xfffffffc, 0},
	{MSI_UPPER, 0, 0xffffffff, 0},
	{MSI_DATA, 0, 0xffff, 0},
	{EDU_PCIE, CAP_PCIE | (PCIE_VERSION_2 | PCIE_INTEGRATED_ENDPOINT) << 16, 0, 0}, /* the last capability */
	{PCIE_DEVICE_CAPABILITIES, PCIE_ROLE_BASED_ERRORS, 0, 0},
	{PCIE_DEVICE_CONTROL, PCIE_CONTROL_RESET, PCIE_CONTROL_WRITABLE, PCIE_STATUS_ERRORS << 16},
};

/*
 * At the slot of its source id: BAR assigned, memory decoding on, bus mastering off, interrupt line
 * set. no_snoop() is not called for the reset value, 1.
 */
static void create(void *state, const struct board *board)
{
	struct edu *edu = state;
	struct pci *pci = board->chips->pci;
	uint64_t bar = pci_assign_bar(pci, EDU_BAR_SIZE);

	edu->board = board;
	edu->no_snoop = true;
	edu->pci.written = config_written;
	edu->pci.device = edu;
	pci_function_init(&edu->pci, registers, ARRAY_SIZE(registers));
	edu->pci.config32[PCI_BAR0 / 4] = (uint32_t)bar;
	edu->pci.config[PCI_INTERRUPT_LINE] = irq_pci_line(pci_slot(board->source_id));
	edu->region = bus_add(board->mmio, bar, EDU_BAR_SIZE, edu_access, edu, board->name);
	pci_add(pci, board->source_id, &edu->pci);
	board->dma_device(board->ctx, board->source_id, !(board->words & EDU_SNOOP));
}

const struct device_row edu_device = {
	.name = "edu", .size = sizeof(struct edu), .create = create, .go_on = go_on, .pci = true, .words = words};
