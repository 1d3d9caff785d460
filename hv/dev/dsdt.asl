/* SPDX-License-Identifier: MIT */
/*
 * What of the guest's machine only AML can say: the PCI bus with its windows and interrupt
 * wiring (hv/dev/irq.h), the console, and how to switch off. The C preprocessor and iasl compile it;
 * acpi.c hands it on.
 */
DefinitionBlock ("", "DSDT", 2, "LEAFCT", "LEAFCUTR", 1)
{
	Name (PICM, 0) // the interrupt model: 0 PIC, 1 IOAPIC
	Method (_PIC, 1)
	{
		PICM = Arg0
	}

	Name (\_S5, Package () { 5, 5, 0, 0 }) // ACPI_PM_S5

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_BBN, 0)

			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0000, 0x0cf7, 0, 0x0cf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0d00, 0xffff, 0, 0xf300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, 0xc0000000, 0xfebfffff, 0, 0x3ec00000)
			})

			// INTA# of slots 1-31: IOAPIC pin 16 + slot % 8, or ISA line 10 + slot % 2. Written
			// out, since whoever enables a device evaluates it again.
			#define ROUTE(address, to) Package () { address, 0, 0, to }
			Name (PINS, Package ()
			{
				ROUTE (0x00001ffff, 17), ROUTE (0x00002ffff, 18), ROUTE (0x00003ffff, 19), ROUTE (0x00004ffff, 20),
				ROUTE (0x00005ffff, 21), ROUTE (0x00006ffff, 22), ROUTE (0x00007ffff, 23), ROUTE (0x00008ffff, 16),
				ROUTE (0x00009ffff, 17), ROUTE (0x0000affff, 18), ROUTE (0x0000bffff, 19), ROUTE (0x0000cffff, 20),
				ROUTE (0x0000dffff, 21), ROUTE (0x0000effff, 22), ROUTE (0x0000fffff, 23), ROUTE (0x00010ffff, 16),
				ROUTE (0x00011ffff, 17), ROUTE (0x00012ffff, 18), ROUTE (0x00013ffff, 19), ROUTE (0x00014ffff, 20),
				ROUTE (0x00015ffff, 21), ROUTE (0x00016ffff, 22), ROUTE (0x00017ffff, 23), ROUTE (0x00018ffff, 16),
				ROUTE (0x00019ffff, 17), ROUTE (0x0001affff, 18), ROUTE (0x0001bffff, 19), ROUTE (0x0001cffff, 20),
				ROUTE (0x0001dffff, 21), ROUTE (0x0001effff, 22), ROUTE (0x0001fffff, 23)
			})
			Name (LINS, Package ()
			{
				ROUTE (0x00001ffff, 11), ROUTE (0x00002ffff, 10), ROUTE (0x00003ffff, 11), ROUTE (0x00004ffff, 10),
				ROUTE (0x00005ffff, 11), ROUTE (0x00006ffff, 10), ROUTE (0x00007ffff, 11), ROUTE (0x00008ffff, 10),
				ROUTE (0x00009ffff, 11), ROUTE (0x0000affff, 10), ROUTE (0x0000bffff, 11), ROUTE (0x0000cffff, 10),
				ROUTE (0x0000dffff, 11), ROUTE (0x0000effff, 10), ROUTE (0x0000fffff, 11), ROUTE (0x00010ffff, 10),
				ROUTE (0x00011ffff, 11), ROUTE (0x00012ffff, 10), ROUTE (0x00013ffff, 11), ROUTE (0x00014ffff, 10),
				ROUTE (0x00015ffff, 11), ROUTE (0x00016ffff, 10), ROUTE (0x00017ffff, 11), ROUTE (0x00018ffff, 10),
				ROUTE (0x00019ffff, 11), ROUTE (0x0001affff, 10), ROUTE (0x0001bffff, 11), ROUTE (0x0001cffff, 10),
				ROUTE (0x0001dffff, 11), ROUTE (0x0001effff, 10), ROUTE (0x0001fffff, 11)
			})
			Method (_PRT)
			{
				If (PICM)
				{
					Return (PINS)
				}
				Return (LINS)
			}

			Device (COM1)
			{
				Name (_HID, EisaId ("PNP0501"))
				Name (_UID, 1)
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x3f8, 0x3f8, 1, 8)
					IRQNoFlags () { 4 }
				})
			}
		}

		// What is decoded outside the PCI windows: ACPI's ports, the exit port.
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x600, 0x600, 1, 0x10)
				IO (Decode16, 0xf4, 0xf4, 1, 4)
			})
		}
	}
}
