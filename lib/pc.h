/* SPDX-License-Identifier: MIT */
/*
 * Three chips of a PC in names, as far as more than one file has them: the 16550 UART (National
 * Semiconductor PC16550D, chapter 8), the pair of 8259A interrupt controllers and the 8254 timer (Intel's
 * datasheets). The host has each of them, and each VM a model. Numbers only.
 */
#pragma once

#define COM1      0x3f8
#define COM2      0x2f8
#define COM1_LINE 4 /* of the ISA */
#define COM2_LINE 3
#define UART_FIFO 16 /* bytes, either way */

/* Registers; the divisor latch lies over the first two while LCR.DLAB is set. */
enum { UART_DATA, UART_IER, UART_IIR_FCR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCRATCH, UART_REGISTERS };
#define IER_RX      0x01
#define FCR_ENABLE  0x01
#define FCR_CLEAR   0x02 /* the receiver's FIFO, */
#define FCR_CLEAR_2 0x04 /* the transmitter's */
#define LCR_8N1     0x03
#define LCR_DLAB    0x80
#define MCR_DTR     0x01
#define MCR_RTS     0x02
#define MCR_OUT2    0x08 /* on a PC, the gate of the interrupt line */
#define LSR_READY   0x01
#define LSR_EMPTY   0x20 /* room for more, */
#define LSR_IDLE    0x40 /* and the last byte has left */

/* The ports of commands; those of data lie behind them. */
#define PIC_MASTER  0x20
#define PIC_SLAVE   0xa0
#define PIC_CASCADE 2 /* the master's line on which the slave is */
#define ICW1        0x10
#define ICW1_ICW4   0x01
#define ICW4_8086   0x01
#define ICW4_AUTO   0x02 /* an interrupt that is taken is over */

#define PIT_HZ      1193182
#define PIT_PORT    0x40 /* of channel 0; those of 1 and 2 behind it */
#define PIT_CONTROL 3    /* and then this */
#define GATE_PORT   0x61
#define GATE_2      0x01 /* of channel 2 */
#define SPEAKER     0x02
#define OUTPUT_2    0x20
