// SPDX-License-Identifier: MIT
/*
 * A driver of `edu` for Linux, by its DMA functions at their plainest: what is written to the device's file "copy"
 * makes the device copy a page of memory into its buffer and back into another, each time telling its end by an MSI.
 * Built from Debian's header packages, loaded by guest/linux-edu/init.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define DMA_BITS   28

/* Registers and bits, as QEMU's docs/specs/edu has them. */
enum { INTERRUPT_STATUS = 0x24, INTERRUPT_ACK = 0x64 };
enum { DMA_SOURCE = 0x80, DMA_DESTINATION = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98 };
enum { DMA_RUN = 1, DMA_TO_MEMORY = 2, DMA_RAISE_IRQ = 4 };
#define BUFFER 0x40000 /* the device's own address of its 4 KiB */

struct edu {
	struct pci_dev *pci;
	void __iomem *registers;
	struct completion done;
	unsigned int interrupts;
};

static irqreturn_t edu_interrupt(int irq, void *data)
{
	struct edu *edu = data;
	u32 status = readl(edu->registers + INTERRUPT_STATUS);

	if (!status) return IRQ_NONE;
	writel(status, edu->registers + INTERRUPT_ACK);
	edu->interrupts++;
	complete(&edu->done);
	return IRQ_HANDLED;
}

/* One transfer of a page, and the wait for its interrupt. 0 or a negative errno. */
static int edu_transfer(struct edu *edu, u64 source, u64 destination, u32 direction)
{
	reinit_completion(&edu->done);
	writeq(source, edu->registers + DMA_SOURCE);
	writeq(destination, edu->registers + DMA_DESTINATION);
	writeq(PAGE_SIZE, edu->registers + DMA_COUNT);
	writeq(DMA_RUN | DMA_RAISE_IRQ | direction, edu->registers + DMA_COMMAND);
	return wait_for_completion_timeout(&edu->done, 10 * HZ) ? 0 : -ETIMEDOUT;
}

/* As edu_transfer(), for a page of the kernel's. */
static int edu_copy_page(struct edu *edu, void *page, enum dma_data_direction direction)
{
	struct device *device = &edu->pci->dev;
	dma_addr_t bus = dma_map_single(device, page, PAGE_SIZE, direction);
	int error = dma_mapping_error(device, bus);

	if (error) return error;
	error = direction == DMA_TO_DEVICE ? edu_transfer(edu, bus, BUFFER, 0)
					   : edu_transfer(edu, BUFFER, bus, DMA_TO_MEMORY);
	dma_unmap_single(device, bus, PAGE_SIZE, direction);
	return error;
}

static ssize_t copy_store(struct device *device, struct device_attribute *attribute, const char *text, size_t size)
{
	struct edu *edu = dev_get_drvdata(device);
	u8 *from = (u8 *)__get_free_page(GFP_KERNEL), *to = (u8 *)get_zeroed_page(GFP_KERNEL);
	int error = from && to ? 0 : -ENOMEM, i;

	for (i = 0; !error && i < PAGE_SIZE; i++) from[i] = (u8)(i * 7 + edu->interrupts + 1);
	if (!error) error = edu_copy_page(edu, from, DMA_TO_DEVICE);
	if (!error) error = edu_copy_page(edu, to, DMA_FROM_DEVICE);
	if (!error && memcmp(from, to, PAGE_SIZE)) error = -EIO;
	free_page((unsigned long)from);
	free_page((unsigned long)to);
	return error ? error : size;
}
static DEVICE_ATTR_WO(copy);

static ssize_t interrupts_show(struct device *device, struct device_attribute *attribute, char *text)
{
	struct edu *edu = dev_get_drvdata(device);

	return sysfs_emit(text, "%u\n", edu->interrupts);
}
static DEVICE_ATTR_RO(interrupts);

static struct attribute *edu_attrs[] = {&dev_attr_copy.attr, &dev_attr_interrupts.attr, NULL};
ATTRIBUTE_GROUPS(edu);

static void edu_free_vectors(void *pci) { pci_free_irq_vectors(pci); }

/* All that it takes is given back by the kernel when the device goes or this fails. */
static int edu_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	struct edu *edu = devm_kzalloc(&pci->dev, sizeof(*edu), GFP_KERNEL);
	int error = edu ? pcim_enable_device(pci) : -ENOMEM;

	if (!error) error = pcim_iomap_regions(pci, BIT(0), KBUILD_MODNAME);
	if (!error) error = dma_set_mask_and_coherent(&pci->dev, DMA_BIT_MASK(DMA_BITS));
	if (error) return error;
	edu->pci = pci;
	edu->registers = pcim_iomap_table(pci)[0];
	init_completion(&edu->done);
	pci_set_drvdata(pci, edu);
	pci_set_master(pci);
	error = pci_alloc_irq_vectors(pci, 1, 1, PCI_IRQ_MSI);
	if (error < 0) return error;
	error = devm_add_action_or_reset(&pci->dev, edu_free_vectors, pci);
	if (error) return error;
	return devm_request_irq(&pci->dev, pci_irq_vector(pci, 0), edu_interrupt, 0, KBUILD_MODNAME, edu);
}

static void edu_remove(struct pci_dev *pci) { pci_clear_master(pci); }

static const struct pci_device_id edu_ids[] = {{PCI_DEVICE(EDU_VENDOR, EDU_DEVICE)}, {}};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = KBUILD_MODNAME,
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.dev_groups = edu_groups,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("QEMU's edu, by the DMA API");
MODULE_LICENSE("Dual MIT/GPL");
