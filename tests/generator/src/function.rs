// SPDX-License-Identifier: GPL-2.0

//! Functions: static and global subprograms, callbacks, and the program itself.

use std::fmt::Write as _;

use super::variable::Type;
use super::Generator;

/// The most statements that the verifier may have to walk in one function. It walks a static
/// function again at each call.
const MAX_COST: usize = 120;

/// How a function can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Static,
    Global,
    Callback,
    Program,
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
enum Parameter {
    Number(&'static str),
    /// A pointer to `structs[i]`.
    Struct(usize),
}

/// A function that has been generated.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub text: String,
    name: String,
    role: Role,
    parameters: Vec<Parameter>,
    cost: usize,
    /// The depth of calls below it.
    height: usize,
}

/// What the statements of a function can use.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Numbers that can be read. Never empty.
    pub locals: Vec<String>,
    /// Pointers to `structs[i]`.
    pub pointers: Vec<(String, usize)>,
    /// The length of the array on the stack, if there is one.
    pub stack: Option<usize>,
    /// How deep the current block is nested.
    pub depth: usize,
    /// How often a statement of the current block runs.
    pub times: usize,
    pub cost: usize,
    height: usize,
}

impl Generator {
    pub(super) fn add_functions(&mut self) {
        for _ in 0..self.random.within(2, 5) {
            let role =
                self.random
                    .weighted(&[(4, Role::Static), (2, Role::Global), (3, Role::Callback)]);
            self.add_function(role);
        }
        self.add_function(Role::Program);
    }

    fn parameters(&mut self, role: Role) -> Vec<Parameter> {
        match role {
            Role::Static | Role::Global => (0..self.random.within(1, 5))
                .map(|_| match self.random.below(5) {
                    0 => Parameter::Struct(self.random.below(self.structs.len())),
                    _ => Parameter::Number(self.random.one_of(&["u64", "u32", "u64", "u16"])),
                })
                .collect(),
            Role::Callback | Role::Program => Vec::new(),
        }
    }

    fn add_function(&mut self, role: Role) {
        let name = match role {
            Role::Program => "entry".to_string(),
            Role::Callback => format!("callback{}", self.functions.len()),
            _ => format!("function{}", self.functions.len()),
        };
        let parameters = self.parameters(role);
        let mut scope = Scope {
            locals: vec!["a".to_string(), "b".to_string()],
            depth: 1,
            times: 1,
            ..Scope::default()
        };
        let mut text = self.head(role, &name, &parameters, &mut scope);
        if self.random.once_in(3) {
            let len = 1 << self.random.within(1, 3);
            let values: Vec<_> = (0..len).map(|i| format!("a + {i}")).collect();
            let _ = writeln!(text, "\tu64 stack[{len}] = {{ {} }};", values.join(", "));
            scope.stack = Some(len);
        }
        text.push('\n');
        let count = match role {
            Role::Program => self.random.within(5, 10),
            _ => self.random.within(2, 5),
        };
        text.push_str(&self.block(&mut scope, count));
        if role == Role::Program {
            text.push_str(&self.uses(&mut scope));
        }
        let result = self.expression(&scope, 2);
        let _ = match role {
            Role::Callback => write!(
                text,
                "\tloop->sum += {result};\n\treturn {} ? 1 : 0;\n}}\n",
                self.condition(&scope)
            ),
            Role::Program => write!(text, "\treturn (int)(a ^ b ^ {result});\n}}\n"),
            _ => write!(text, "\treturn a ^ b ^ {result};\n}}\n"),
        };
        self.functions.push(Function {
            text,
            name,
            role,
            parameters,
            cost: scope.cost,
            height: scope.height,
        });
    }

    /// A function up to its statements: `a` and `b` are variables of each.
    fn head(
        &mut self,
        role: Role,
        name: &str,
        parameters: &[Parameter],
        scope: &mut Scope,
    ) -> String {
        match role {
            Role::Callback => {
                scope.locals.push("i".to_string());
                return format!(
                    "static long {name}(u32 i, struct loop *loop)\n{{\n\
                     \tu64 a = loop->arg + i, b = loop->sum;\n"
                );
            }
            Role::Program => return self.program_head(name),
            Role::Static | Role::Global => {}
        }
        let mut declarations = Vec::new();
        let mut checks = String::new();
        for (i, parameter) in parameters.iter().enumerate() {
            match parameter {
                Parameter::Number(number) => {
                    declarations.push(format!("{number} x{i}"));
                    scope.locals.push(format!("x{i}"));
                }
                Parameter::Struct(of) => {
                    declarations.push(format!("struct s{of} *x{i}"));
                    scope.pointers.push((format!("x{i}"), *of));
                    if role == Role::Global {
                        let _ = write!(checks, "\tif (!x{i})\n\t\treturn {i};\n");
                    }
                }
            }
        }
        let linkage = if role == Role::Static { "static " } else { "" };
        // For an unused argument the compiler passes whatever is in the register, and the verifier
        // rejects one that was never written.
        let mut first = scope.locals[2..].join(" ^ ");
        if first.is_empty() {
            first = self.constant();
        }
        for (pointer, of) in scope.pointers.clone() {
            let used = self.number_in(scope, &format!("{pointer}->"), of);
            let _ = writeln!(checks, "\tb += (u64){};", used.text);
        }
        if role == Role::Global {
            checks.push_str("\tresults += a ^ b;\n");
        }
        format!(
            "{linkage}__noinline u64 {name}({})\n{{\n\tu64 a = {first}, b = {};\n{checks}",
            declarations.join(", "),
            self.constant()
        )
    }

    fn program_head(&mut self, name: &str) -> String {
        let kind = self.kind;
        let mut text = format!("SEC(\"{kind}\")\nint {name}(struct context *ctx)\n{{\n");
        text.push_str(match kind {
            "tc" => "\tu64 a = ctx->cb[0] | (u64)ctx->cb[1] << 32, b = ctx->mark;\n",
            "xdp" => {
                "\tu64 *data = (u64 *)(long)ctx->data, *end = (u64 *)(long)ctx->data_end;\n\
                 \tu64 a, b;\n\n\
                 \tif (data + 2 > end)\n\t\treturn 0;\n\
                 \ta = data[0];\n\tb = data[1];\n"
            }
            _ => "\tu64 a = ctx->in[0], b = ctx->in[1];\n",
        });
        text
    }

    /// Uses what is unused so far: each section gets an access, each function a call.
    fn uses(&mut self, scope: &mut Scope) -> String {
        let mut text = String::new();
        let written: String = self.functions.iter().map(|f| f.text.as_str()).collect();
        let firsts = self.variables.iter().map(|v| v.field.clone());
        for field in firsts.collect::<Vec<_>>() {
            if field.name.starts_with('p') && matches!(field.of, Type::Number("u64")) {
                let index = self.index(scope, &field);
                let _ = writeln!(text, "\t{}{index} += a;", field.name);
            }
        }
        for i in 0..self.functions.len() {
            let name = &self.functions[i].name;
            if written.matches(name.as_str()).count() < 2 {
                let call = match self.functions[i].role {
                    Role::Callback => self.loop_text(scope, i),
                    _ => self.call_text(scope, i),
                };
                if let Some(call) = call {
                    let _ = writeln!(text, "\t{call}");
                }
            }
        }
        text
    }

    /// A function with one of these roles, if the budget allows another call.
    fn callee(&mut self, scope: &Scope, roles: &[Role]) -> Option<usize> {
        let fits = |i: &usize| {
            let function = &self.functions[*i];
            roles.contains(&function.role)
                && function.height < 3
                && scope.cost + scope.times * function.cost.max(1) < MAX_COST
        };
        let all: Vec<_> = (0..self.functions.len()).filter(fits).collect();
        (!all.is_empty()).then(|| self.random.one_of(&all))
    }

    /// A call of a subprogram.
    pub(super) fn call(&mut self, scope: &mut Scope) -> Option<String> {
        let i = self.callee(scope, &[Role::Static, Role::Global])?;
        self.call_text(scope, i)
    }

    /// A call of `bpf_loop()`.
    pub(super) fn loop_call(&mut self, scope: &mut Scope) -> Option<String> {
        let i = self.callee(scope, &[Role::Callback])?;
        self.loop_text(scope, i)
    }

    fn called(&mut self, scope: &mut Scope, i: usize) {
        let function = &self.functions[i];
        scope.height = scope.height.max(function.height + 1);
        scope.cost += match function.role {
            Role::Global => scope.times,
            Role::Callback => scope.times * function.cost * 3,
            _ => scope.times * function.cost,
        };
    }

    fn call_text(&mut self, scope: &mut Scope, i: usize) -> Option<String> {
        let function = self.functions[i].clone();
        let mut arguments = Vec::new();
        for parameter in function.parameters {
            arguments.push(match parameter {
                Parameter::Number(number) => {
                    format!("({number})({})", self.expression(scope, 1))
                }
                Parameter::Struct(of) => {
                    let percpu = self.random.below(4) > 0;
                    let of = Type::Struct(of);
                    let element = self.element(scope, of, percpu);
                    let element = element.or_else(|| self.element(scope, of, !percpu))?;
                    format!("&{element}")
                }
            });
        }
        self.called(scope, i);
        let local = self.random.one_of(&["a", "b"]);
        let operator = self.random.one_of(&["=", "+=", "^="]);
        let arguments = arguments.join(", ");
        let tabs = "\t".repeat(scope.depth);
        Some(format!(
            "{local} {operator} {}({arguments});\n{tabs}results += {local};",
            function.name
        ))
    }

    fn loop_text(&mut self, scope: &mut Scope, i: usize) -> Option<String> {
        let name = self.functions[i].name.clone();
        let arg = self.expression(scope, 1);
        let times = self.random.within(1, 12);
        self.called(scope, i);
        let tabs = "\t".repeat(scope.depth);
        Some(format!(
            "{{\n{tabs}\tstruct loop loop = {{ .sum = b, .arg = {arg} }};\n\n\
             {tabs}\tb = bpf_loop({times}, {name}, &loop, 0);\n\
             {tabs}\ta += loop.sum;\n{tabs}}}"
        ))
    }
}
