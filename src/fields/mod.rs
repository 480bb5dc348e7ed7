//! Every name that a condition or an output may use: one row each, in one table per family.
//!
//! A row says how the field is called, its type, the argument it takes, what it may not be used
//! for, what it means, and how it is read from an event. The compiler, output formats, `--list`,
//! `doctor` and the documentation read the same rows.

pub mod container;
pub mod evt;
pub mod evt_kind;
pub mod evt_open;
pub mod evt_result;
pub mod evt_time;
pub mod facts;
pub mod fd;
pub mod fs;
pub mod lookup;
pub mod misc;
pub mod names;
pub mod path;
pub mod print;
pub mod proc;
pub mod proc_kin;
pub mod proc_who;
pub mod render;
pub mod statics;
#[cfg(test)]
pub(crate) mod support;
pub mod text;
pub mod tuple;
pub mod user;

pub use lookup::{Field, LookupError, lookup};

use crate::event::{DataType, Event, Value};

/// Reads a field's value; `None` is absent.
pub type Read = for<'a> fn(&Event<'a>, &Arg) -> Option<Value<'a>>;

/// One row.
#[derive(Debug)]
pub struct FieldInfo {
    /// Name without argument.
    pub name: &'static str,
    /// Its type; of the elements, for lists. `DYN` for `evt.rawarg`.
    pub ty: DataType,
    /// Which argument it takes.
    pub arg: ArgKind,
    /// A set of [`FieldFlags`].
    pub flags: u32,
    /// What it means, for `--list`.
    pub doc: &'static str,
    /// Its value in outputs and, unless `compare` says otherwise, in conditions.
    pub read: Read,
    /// How a condition compares it.
    pub compare: Compare,
    /// Where a part without blanks may be looked for, if its text is made of something: there it
    /// stands if, and only if, it stands in the text.
    pub made_of: Option<Read>,
    /// If its text costs more to make than to tell how it begins, a text that begins in the same
    /// way: its text is a slash, or begins as this one does, but for a slash at its end. Absent
    /// only if its text is.
    pub begins_as: Option<Read>,
}

/// How a condition compares a field.
#[derive(Clone, Copy, Debug)]
pub enum Compare {
    /// The value that is printed.
    Plain,
    /// The elements of this list (all ancestors): true if the operator holds for any of them.
    /// Only where the field has no argument.
    Any(Read),
    /// The elements of this list (both ends of a connection): `=`, `in`, `<` … hold if they hold
    /// for any, `!=` if it holds for all.
    EitherEnd(Read),
    /// This value, by the type that it has in the event: the literal is cut to its width.
    Native(Read),
}

/// Which argument a field takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ArgKind {
    /// It must have one.
    pub required: bool,
    /// `name[3]`.
    pub index: bool,
    /// `name[text]`.
    pub key: bool,
    /// `name.text`.
    pub dot: bool,
}

impl ArgKind {
    /// No argument.
    pub const NONE: Self = Self { required: false, index: false, key: false, dot: false };
    /// An optional number.
    pub const INDEX: Self = Self { index: true, ..Self::NONE };
    /// An optional key.
    pub const KEY: Self = Self { key: true, ..Self::NONE };
    /// An optional number or key.
    pub const INDEX_OR_KEY: Self = Self { index: true, key: true, ..Self::NONE };
    /// An optional dotted suffix.
    pub const DOT: Self = Self { dot: true, ..Self::NONE };
    /// A dotted suffix or a number.
    pub const DOT_OR_INDEX: Self = Self { dot: true, index: true, ..Self::NONE };

    /// The same, mandatory.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// Names of the bits in `FieldInfo::flags`.
#[derive(Clone, Copy, Debug)]
pub struct FieldFlags;

impl FieldFlags {
    /// It can't stand in an output.
    pub const FILTER_ONLY: u32 = 1;
    /// `--list` hides it.
    pub const PRINT_ONLY: u32 = 1 << 1;
    /// `--list` hides it.
    pub const TABLE_ONLY: u32 = 1 << 2;
    /// It will go.
    pub const DEPRECATED: u32 = 1 << 3;
    /// It can't stand on the right of an operator.
    pub const NO_RHS: u32 = 1 << 4;
    /// No transformer takes it.
    pub const NO_TRANSFORMER: u32 = 1 << 5;
    /// Its value is a list.
    pub const IS_LIST: u32 = 1 << 6;
    /// Its output is suggested for formats.
    pub const FORMAT_SUGGESTED: u32 = 1 << 7;
    /// It is printed in base 16, in capitals and without `0x`.
    pub const PF_HEX: u32 = 1 << 8;
    /// It is printed with leading zeros, nine digits wide.
    pub const PF_10_PADDED_DEC: u32 = 1 << 9;
    /// Outputs print it without control characters. Ours: Falco does it in the reader.
    pub const SANITISED: u32 = 1 << 10;
}

/// A field's argument, resolved once at load.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Arg {
    /// None was given.
    None,
    /// `name[3]`.
    Index(u32),
    /// `name[text]` or `name.text`.
    Key(Box<str>),
    /// `evt.arg.NAME`, `evt.rawarg.NAME`: for every event type the index of its parameter of that
    /// name, `u8::MAX` where it has none.
    Param(Box<[u8]>),
}

impl FieldInfo {
    /// Whether all bits of `flags` are set.
    #[must_use]
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }
}

/// A family of fields, as `--list` shows it.
#[derive(Debug)]
pub struct FieldClass {
    /// `evt`, `process`, `fd` …
    pub name: &'static str,
    /// The word in parentheses behind the name; empty: none.
    pub short: &'static str,
    /// What the family is about.
    pub doc: &'static str,
    /// Its rows.
    pub fields: &'static [FieldInfo],
}

/// All families, in the order in which a name is looked up and `--list` prints them.
pub static CLASSES: &[&FieldClass] = &[
    &evt::CLASS,
    &proc::CLASS,
    &user::USER,
    &user::GROUP,
    &fd::CLASS,
    &fs::CLASS,
    &misc::UTIL,
    &misc::FDLIST,
    &container::CLASS,
    &container::K8S,
];

/// The value of a field that no source of this agent can give.
#[must_use]
pub fn absent<'a>(_: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    None
}

/// A row without argument and flags.
pub(crate) const fn field(
    name: &'static str,
    ty: DataType,
    doc: &'static str,
    read: Read,
) -> FieldInfo {
    FieldInfo {
        name,
        ty,
        arg: ArgKind::NONE,
        flags: 0,
        doc,
        read,
        compare: Compare::Plain,
        made_of: None,
        begins_as: None,
    }
}

impl FieldInfo {
    /// With an argument.
    pub(crate) const fn arg(mut self, arg: ArgKind) -> Self {
        self.arg = arg;
        self
    }

    /// With flags.
    pub(crate) const fn flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    /// With what its text is made of, where it has no argument.
    pub(crate) const fn made_of(mut self, read: Read) -> Self {
        self.made_of = Some(read);
        self
    }

    /// With what its text begins as, where it has no argument.
    pub(crate) const fn begins_as(mut self, read: Read) -> Self {
        self.begins_as = Some(read);
        self
    }

    /// With another comparison than the printed value's.
    pub(crate) const fn compare(mut self, compare: Compare) -> Self {
        self.compare = compare;
        self
    }
}
