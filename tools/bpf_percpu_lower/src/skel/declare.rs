// SPDX-License-Identifier: GPL-2.0

//! C declarations, for the documentation of fields.

use crate::btf::Btf;
use crate::btf::Kind;
use crate::skel::names::MAX_LEN;

/// How many parts a declaration may have; a type may contain itself.
const MAX_STEPS: usize = 64;

/// The declaration of `name` with type `of`.
pub fn declare(btf: &Btf, mut of: u32, name: &str) -> String {
    let mut inner = text(name);
    let mut base = String::new();
    for _ in 0..MAX_STEPS {
        let kind = &btf.get(of).kind;
        match kind {
            Kind::Ptr(to) => {
                inner.insert(0, '*');
                let behind = &btf.get(*to).kind;
                if matches!(behind, Kind::Array { .. } | Kind::FuncProto { .. }) {
                    inner = format!("({inner})");
                }
                of = *to;
            }
            Kind::Array {
                of: element, len, ..
            } => {
                inner.push_str(&format!("[{len}]"));
                of = *element;
            }
            Kind::Const(to) | Kind::Volatile(to) => {
                let is_const = matches!(kind, Kind::Const(_));
                let word = if is_const { "const " } else { "volatile " };
                match btf.get(*to).kind {
                    Kind::Ptr(_) => inner.insert_str(0, word),
                    _ => base.push_str(word),
                }
                of = *to;
            }
            Kind::Restrict(to) | Kind::TypeTag(to) => of = *to,
            Kind::FuncProto { result, .. } => {
                inner.push_str("()");
                of = *result;
            }
            _ => {
                base.push_str(&type_name(btf, of));
                let space = if inner.is_empty() { "" } else { " " };
                return format!("{base}{space}{inner}");
            }
        }
    }
    format!("… {inner}")
}

/// The name of a type that is not a pointer or array.
pub fn type_name(btf: &Btf, of: u32) -> String {
    let name = text(&String::from_utf8_lossy(btf.name(of)));
    let keyword = match btf.get(of).kind {
        Kind::Void => return "void".to_string(),
        Kind::Struct { .. } => "struct",
        Kind::Union { .. } => "union",
        Kind::Fwd if btf.get(of).flag => "union",
        Kind::Fwd => "struct",
        Kind::Enum { .. } | Kind::Enum64 { .. } => "enum",
        _ => return name,
    };
    match &*name {
        "" => format!("{keyword} {{ … }}"),
        name => format!("{keyword} {name}"),
    }
}

/// A name that is safe in a line of Markdown code.
pub fn text(name: &str) -> String {
    let name: String = name.chars().take(MAX_LEN).collect();
    name.escape_debug().to_string().replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations() {
        let mut btf = Btf::default();
        let (size, members, params) = (0, vec![], vec![]);
        let int = btf.add(b"int", Kind::Float { size });
        let node = btf.add(b"node", Kind::Struct { size, members });
        let members = vec![];
        let anonymous = btf.add(b"", Kind::Union { size, members });
        let (len, index) = (3, int);
        let array = |of| Kind::Array { of, index, len };
        let ints = btf.add(b"", array(int));
        let matrix = btf.add(b"", array(ints));
        let to_ints = btf.add(b"", Kind::Ptr(ints));
        let constant = btf.add(b"", Kind::Const(node));
        let to_constant = btf.add(b"", Kind::Ptr(constant));
        let constant_pointer = btf.add(b"", Kind::Const(to_constant));
        let result = int;
        let proto = btf.add(b"", Kind::FuncProto { result, params });
        let function = btf.add(b"", Kind::Ptr(proto));
        let to_void = btf.add(b"", Kind::Ptr(0));
        let volatile = btf.add(b"", Kind::Volatile(int));
        for (of, expected) in [
            (int, "int x"),
            (matrix, "int x[3][3]"),
            (to_ints, "int (*x)[3]"),
            (to_constant, "const struct node *x"),
            (constant_pointer, "const struct node *const x"),
            (function, "int (*x)()"),
            (to_void, "void *x"),
            (volatile, "volatile int x"),
            (anonymous, "union { … } x"),
        ] {
            assert_eq!(declare(&btf, of, "x"), expected);
        }
        assert_eq!(declare(&btf, int, "a`\nb"), "int a'\\nb");
        assert_eq!(declare(&btf, node, ""), "struct node");
    }

    #[test]
    fn without_end() {
        let mut btf = Btf::default();
        let own = btf.len() as u32;
        btf.add(b"", Kind::Ptr(own));
        assert!(declare(&btf, own, "x").starts_with("… ***"));
        let mut btf = Btf::default();
        btf.add(b"", Kind::Const(own));
        assert_eq!(declare(&btf, own, "x"), "… x");
    }
}
