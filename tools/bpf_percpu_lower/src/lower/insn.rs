// SPDX-License-Identifier: GPL-2.0

//! BPF instructions: encoding, the registers and memory they access, and control flow. See RFC 9669
//! and `include/uapi/linux/bpf.h`.

/// Bytes of an instruction. `ld_imm64` takes two instructions.
pub const INSN_SIZE: usize = 8;

/// The frame pointer.
pub const FP: u8 = 10;

/// The argument registers, as bits.
pub const ARGS: u16 = 0b11_1110;

/// A register as a bit.
pub const fn bit(register: u8) -> u16 {
    1 << register
}

/// The first `count` argument registers, as bits.
pub const fn args(count: u8) -> u16 {
    ARGS & ((1 << (count + 1)) - 1)
}

/// One instruction; half of an `ld_imm64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Insn {
    pub code: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
}

/// Which instruction is executed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Next,
    /// The next one plus this offset.
    Jump(i32),
    /// The next one, or the next one plus this offset.
    Branch(i32),
    Exit,
    /// The target is in a register.
    Indirect,
}

/// What an instruction calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Helper(i32),
    /// A function of the object or, with a relocation, a kfunc.
    Function,
    Kfunc,
}

const LD: u8 = 0;
const LDX: u8 = 1;
const ST: u8 = 2;
const STX: u8 = 3;
const ALU: u8 = 4;
const JMP: u8 = 5;
const JMP32: u8 = 6;
const ALU64: u8 = 7;

const X: u8 = 0x08;
const DW_IMM: u8 = 0x18;
const MEM: u8 = 0x60;
const DW: u8 = 0x18;

const ADD: u8 = 0x00;
const SUB: u8 = 0x10;
const NEG: u8 = 0x80;
const MOV: u8 = 0xb0;
const END: u8 = 0xd0;

const JA: u8 = 0x00;
const JEQ: u8 = 0x10;
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;

const ATOMIC: u8 = 0xc0;
const FETCH: i32 = 0x01;
const CMPXCHG: i32 = 0xf1;
const LOAD_ACQUIRE: i32 = 0x100;

/// `src` of a call to a function of the object.
pub const PSEUDO_CALL: u8 = 1;
const PSEUDO_KFUNC_CALL: u8 = 2;

impl Insn {
    pub fn read(bytes: [u8; INSN_SIZE]) -> Self {
        Self {
            code: bytes[0],
            dst: bytes[1] & 0xf,
            src: bytes[1] >> 4,
            off: i16::from_le_bytes([bytes[2], bytes[3]]),
            imm: i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        }
    }

    pub fn write(self) -> [u8; INSN_SIZE] {
        let ([a, b], [c, d, e, f]) = (self.off.to_le_bytes(), self.imm.to_le_bytes());
        [self.code, (self.src << 4) | self.dst, a, b, c, d, e, f]
    }

    const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        Self {
            code,
            dst,
            src,
            off,
            imm,
        }
    }

    /// `dst = *(u64 *)(src + off)`
    pub const fn load64(dst: u8, src: u8, off: i16) -> Self {
        Self::new(LDX | MEM | DW, dst, src, off, 0)
    }

    /// `dst = *(u32 *)(src + off)`
    pub const fn load32(dst: u8, src: u8, off: i16) -> Self {
        Self::new(LDX | MEM, dst, src, off, 0)
    }

    /// `*(u64 *)(dst + off) = src`
    pub const fn store64(dst: u8, off: i16, src: u8) -> Self {
        Self::new(STX | MEM | DW, dst, src, off, 0)
    }

    /// `dst = src`
    pub const fn copy(dst: u8, src: u8) -> Self {
        Self::new(ALU64 | MOV | X, dst, src, 0, 0)
    }

    /// `dst = imm`
    pub const fn set(dst: u8, imm: i32) -> Self {
        Self::new(ALU64 | MOV, dst, 0, 0, imm)
    }

    /// `dst += imm`
    pub const fn add(dst: u8, imm: i32) -> Self {
        Self::new(ALU64 | ADD, dst, 0, 0, imm)
    }

    /// `if dst == imm goto +off`
    pub const fn jump_if_equal(dst: u8, imm: i32, off: i16) -> Self {
        Self::new(JMP | JEQ, dst, 0, off, imm)
    }

    /// `goto +off`. The verifier removes one that goes to the next instruction.
    pub const fn jump(off: i16) -> Self {
        Self::new(JMP | JA, 0, 0, off, 0)
    }

    /// A call to a helper.
    pub const fn helper(id: i32) -> Self {
        Self::new(JMP | CALL, 0, 0, 0, id)
    }

    /// A call whose target is in its relocation.
    pub const fn call() -> Self {
        Self::new(JMP | CALL, 0, PSEUDO_CALL, 0, -1)
    }

    /// `exit`
    pub const fn exit() -> Self {
        Self::new(JMP | EXIT, 0, 0, 0, 0)
    }

    /// `dst = imm ll`, whose symbol is in its relocation: two instructions.
    pub const fn address(dst: u8, imm: i32) -> [Self; 2] {
        let second = Self::new(0, 0, 0, 0, 0);
        [Self::new(LD | DW_IMM, dst, 0, 0, imm), second]
    }

    fn class(self) -> u8 {
        self.code & 0x07
    }

    fn op(self) -> u8 {
        self.code & 0xf0
    }

    fn is_x(self) -> bool {
        self.code & X != 0
    }

    /// Whether it is the first half of an `ld_imm64`.
    pub fn is_wide(self) -> bool {
        self.code == LD | DW_IMM
    }

    /// The call, if it is one.
    pub fn called(self) -> Option<Call> {
        if self.code != JMP | CALL {
            return None;
        }
        match self.src {
            PSEUDO_CALL => Some(Call::Function),
            PSEUDO_KFUNC_CALL => Some(Call::Kfunc),
            _ => Some(Call::Helper(self.imm)),
        }
    }

    /// Which instruction is executed after it.
    pub fn flow(self) -> Flow {
        match (self.class(), self.op()) {
            (JMP | JMP32, EXIT) => Flow::Exit,
            (JMP | JMP32, CALL) => Flow::Next,
            (JMP, JA) if self.is_x() => Flow::Indirect,
            (JMP, JA) => Flow::Jump(self.off.into()),
            (JMP32, JA) => Flow::Jump(self.imm),
            (JMP | JMP32, _) => Flow::Branch(self.off.into()),
            _ => Flow::Next,
        }
    }

    /// The registers that it reads and those that it writes, as bits. What a call reads depends on
    /// what it calls, and is not included.
    pub fn effects(self) -> (u16, u16) {
        let (dst, src) = (bit(self.dst), bit(self.src));
        let source = if self.is_x() { src } else { 0 };
        match self.class() {
            ALU | ALU64 => match self.op() {
                MOV => (source, dst),
                // The source bit selects the byte order.
                NEG | END => (dst, dst),
                _ => (dst | source, dst),
            },
            LD if self.is_wide() => (0, dst),
            // Packet access: the context is in r6, and r1 to r5 are clobbered as by a call.
            LD => (bit(6) | source, bit(0) | ARGS),
            LDX => (src, dst),
            ST => (dst, 0),
            STX if self.code & 0xe0 == ATOMIC => match self.imm {
                CMPXCHG => (dst | src | bit(0), bit(0)),
                LOAD_ACQUIRE => (src, dst),
                imm if imm & FETCH != 0 => (dst | src, src),
                _ => (dst | src, 0),
            },
            STX => (dst | src, 0),
            _ => match self.op() {
                CALL => (0, bit(0) | ARGS),
                EXIT => (bit(0), 0),
                JA => (0, 0),
                _ => (dst | source, 0),
            },
        }
    }

    /// The base register and the offset of its memory access.
    pub fn memory(self) -> Option<(u8, i16)> {
        let base = match self.class() {
            LDX => self.src,
            STX if self.code & 0xe0 == ATOMIC && self.imm == LOAD_ACQUIRE => self.src,
            ST | STX => self.dst,
            _ => return None,
        };
        Some((base, self.off))
    }

    /// `dst = src`, all 64 bits.
    pub fn is_copy(self) -> bool {
        self.code == ALU64 | MOV | X && self.off == 0
    }

    /// The constant that it adds to `dst`.
    pub fn added(self) -> Option<i32> {
        match self.code {
            code if code == ALU64 | ADD => Some(self.imm),
            code if code == ALU64 | SUB => self.imm.checked_neg(),
            _ => None,
        }
    }

    /// `dst += src` or `dst -= src`.
    pub fn adds_register(self) -> bool {
        self.code == ALU64 | ADD | X || self.code == ALU64 | SUB | X
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_as_they_are_written() {
        for insn in [
            Insn::load64(1, FP, -8),
            Insn::store64(FP, -512, 0),
            Insn::add(3, -7),
            Insn::address(9, 0x7fff_ffff)[0],
            Insn::call(),
        ] {
            assert_eq!(Insn::read(insn.write()), insn);
        }
        // `r1 = *(u64 *)(r10 - 8)`, as llvm-objdump shows it.
        let bytes = [0x79, 0xa1, 0xf8, 0xff, 0, 0, 0, 0];
        assert_eq!(Insn::load64(1, FP, -8).write(), bytes);
    }

    #[test]
    fn effects() {
        // r0 = 0; r1 = r2; r3 += r4; *(u32 *)(r1 + 0) = r2; if r1 > r2; w1 = bswap
        for (bytes, reads, writes) in [
            ([0xb7, 0, 0, 0, 0, 0, 0, 0], 0, bit(0)),
            ([0xbf, 0x21, 0, 0, 0, 0, 0, 0], bit(2), bit(1)),
            ([0x0f, 0x43, 0, 0, 0, 0, 0, 0], bit(3) | bit(4), bit(3)),
            ([0x63, 0x21, 0, 0, 0, 0, 0, 0], bit(1) | bit(2), 0),
            ([0x2d, 0x21, 1, 0, 0, 0, 0, 0], bit(1) | bit(2), 0),
            ([0xdc, 0x01, 0, 0, 16, 0, 0, 0], bit(1), bit(1)),
            // lock *(u64 *)(r1 + 0) += r2; r2 = atomic_fetch_add; r0 = cmpxchg(r1, r0, r2)
            ([0xdb, 0x21, 0, 0, 0, 0, 0, 0], bit(1) | bit(2), 0),
            ([0xdb, 0x21, 0, 0, 1, 0, 0, 0], bit(1) | bit(2), bit(2)),
            ([0xdb, 0x21, 0, 0, 0xf1, 0, 0, 0], 0b111, bit(0)),
        ] {
            assert_eq!(Insn::read(bytes).effects(), (reads, writes), "{bytes:x?}");
        }
        assert_eq!(args(0), 0);
        assert_eq!(args(5), ARGS);
    }

    #[test]
    fn flows() {
        let flow = |bytes| Insn::read(bytes).flow();
        assert_eq!(flow([0x05, 0, 0xfe, 0xff, 0, 0, 0, 0]), Flow::Jump(-2));
        assert_eq!(flow([0x06, 0, 0, 0, 7, 0, 0, 0]), Flow::Jump(7));
        assert_eq!(flow([0x15, 1, 3, 0, 0, 0, 0, 0]), Flow::Branch(3));
        // may_goto
        assert_eq!(flow([0xe5, 0, 3, 0, 0, 0, 0, 0]), Flow::Branch(3));
        assert_eq!(flow([0x95, 0, 0, 0, 0, 0, 0, 0]), Flow::Exit);
        assert_eq!(flow([0x0d, 1, 0, 0, 0, 0, 0, 0]), Flow::Indirect);
    }
}
