/* SPDX-License-Identifier: MIT */
/*
 * What of the guest's machine only AML can say: the PCI bus with its windows and interrupt
 * wiring (hv/dev/irq.h), the console, and how to switch off. iasl compiles it; acpi.c hands it on.
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
			Name (PINS, Package ()
			{
				Package () { 0x00001ffff, 0, 0, 17 },
				Package () { 0x00002ffff, 0, 0, 18 },
				Package () { 0x00003ffff, 0, 0, 19 },
				Package () { 0x00004ffff, 0, 0, 20 },
				Package () { 0x00005ffff, 0, 0, 21 },
				Package () { 0x00006ffff, 0, 0, 22 },
				Package () { 0x00007ffff, 0, 0, 23 },
				Package () { 0x00008ffff, 0, 0, 16 },
				Package () { 0x00009ffff, 0, 0, 17 },
				Package () { 0x0000affff, 0, 0, 18 },
				Package () { 0x0000bffff, 0, 0, 19 },
				Package () { 0x0000cffff, 0, 0, 20 },
				Package () { 0x0000dffff, 0, 0, 21 },
				Package () { 0x0000effff, 0, 0, 22 },
				Package () { 0x0000fffff, 0, 0, 23 },
				Package () { 0x00010ffff, 0, 0, 16 },
				Package () { 0x00011ffff, 0, 0, 17 },
				Package () { 0x00012ffff, 0, 0, 18 },
				Package () { 0x00013ffff, 0, 0, 19 },
				Package () { 0x00014ffff, 0, 0, 20 },
				Package () { 0x00015ffff, 0, 0, 21 },
				Package () { 0x00016ffff, 0, 0, 22 },
				Package () { 0x00017ffff, 0, 0, 23 },
				Package () { 0x00018ffff, 0, 0, 16 },
				Package () { 0x00019ffff, 0, 0, 17 },
				Package () { 0x0001affff, 0, 0, 18 },
				Package () { 0x0001bffff, 0, 0, 19 },
				Package () { 0x0001cffff, 0, 0, 20 },
				Package () { 0x0001dffff, 0, 0, 21 },
				Package () { 0x0001effff, 0, 0, 22 },
				Package () { 0x0001fffff, 0, 0, 23 }
			})
			Name (LINS, Package ()
			{
				Package () { 0x00001ffff, 0, 0, 11 },
				Package () { 0x00002ffff, 0, 0, 10 },
				Package () { 0x00003ffff, 0, 0, 11 },
				Package () { 0x00004ffff, 0, 0, 10 },
				Package () { 0x00005ffff, 0, 0, 11 },
				Package () { 0x00006ffff, 0, 0, 10 },
				Package () { 0x00007ffff, 0, 0, 11 },
				Package () { 0x00008ffff, 0, 0, 10 },
				Package () { 0x00009ffff, 0, 0, 11 },
				Package () { 0x0000affff, 0, 0, 10 },
				Package () { 0x0000bffff, 0, 0, 11 },
				Package () { 0x0000cffff, 0, 0, 10 },
				Package () { 0x0000dffff, 0, 0, 11 },
				Package () { 0x0000effff, 0, 0, 10 },
				Package () { 0x0000fffff, 0, 0, 11 },
				Package () { 0x00010ffff, 0, 0, 10 },
				Package () { 0x00011ffff, 0, 0, 11 },
				Package () { 0x00012ffff, 0, 0, 10 },
				Package () { 0x00013ffff, 0, 0, 11 },
				Package () { 0x00014ffff, 0, 0, 10 },
				Package () { 0x00015ffff, 0, 0, 11 },
				Package () { 0x00016ffff, 0, 0, 10 },
				Package () { 0x00017ffff, 0, 0, 11 },
				Package () { 0x00018ffff, 0, 0, 10 },
				Package () { 0x00019ffff, 0, 0, 11 },
				Package () { 0x0001affff, 0, 0, 10 },
				Package () { 0x0001bffff, 0, 0, 11 },
				Package () { 0x0001cffff, 0, 0, 10 },
				Package () { 0x0001dffff, 0, 0, 11 },
				Package () { 0x0001effff, 0, 0, 10 },
				Package () { 0x0001fffff, 0, 0, 11 }
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
