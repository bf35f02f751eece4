// SPDX-License-Identifier: GPL-2.0

//! BTF ids, which `resolve_btfids` fills in at link time by the names of their symbols.
//!
//! C header: [`include/linux/btf_ids.h`](srctree/include/linux/btf_ids.h)

/// Assembly for the id of a `func` or `struct`, as `BTF_ID()` emits it in C: four bytes with a
/// local symbol. `$nr` makes the symbols of one name unique; C uses `__COUNTER__`.
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
