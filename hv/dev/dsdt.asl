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

			// INTA# of slots 1-31: IOAPIC pin 16 + slot % 8, or ISA line 10 + slot % 2.
			Name (ROUT, Package (31) {})
			Name (ENTR, Package (4) { 0, 0, 0, 0 }) // address, pin, no link, interrupt
			Method (_PRT, 0, Serialized)
			{
				Local0 = 1
				While (Local0 <= 31)
				{
					ENTR [0] = (Local0 << 16) | 0xffff
					If (PICM)
					{
						ENTR [3] = 16 + (Local0 & 7)
					}
					Else
					{
						ENTR [3] = 10 + (Local0 & 1)
					}
					ROUT [Local0 - 1] = ENTR
					Local0++
				}
				Return (ROUT)
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
