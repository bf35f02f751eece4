// SPDX-License-Identifier: GPL-2.0

//! BTF ids, which the linker's `resolve_btfids` fills in by the name of their symbol.
//!
//! C header: [`include/linux/btf_ids.h`](srctree/include/linux/btf_ids.h)

/// Assembly for the id of a `func` or `struct`, as `BTF_ID()` emits it in C: four bytes of a local
/// symbol. Where C counts uses of a name, `$nr` tells them apart.
macro_rules! btf_id {
    ($kind:ident $name:ident, $nr:literal) => {
        $crate::bpf::btf_id::btf_id!(@symbol
            concat!("__BTF_ID__", stringify!($kind), "__", stringify!($name), "__", $nr))
    };
    (@symbol $symbol:expr) => {
        concat!(
            ".local ", $symbol, "\n",
            ".type ", $symbol, ", STT_OBJECT\n",
            ".size ", $symbol, ", 4\n",
            $symbol, ":\n",
            ".zero 4\n",
        )
    };
}
pub(crate) use btf_id;
