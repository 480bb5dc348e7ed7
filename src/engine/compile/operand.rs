//! Types the sides of a check: fields as their rows say, transformers as they accept arguments.

use crate::engine::comparison::Quantifier;
use crate::engine::lang::ast::{Argument, Operand, Operator, Transformer};
use crate::engine::transform::{Source, Transform};
use crate::engine::types::Family;
use crate::event::DataType;
use crate::fields::{Arg, Compare, Field, FieldFlags, lookup};

/// What Falco says of several arguments where a transformer takes one, and stops.
pub(in crate::engine) const UNKNOWN_MULTIVALUE: &str = "unknown multivalue transformer";

/// A side of a check with its type.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) source: Source,
    pub(super) ty: DataType,
    pub(super) is_list: bool,
    /// Name for messages: the field's, without its argument.
    pub(super) name: String,
    /// Canonical text.
    pub(super) text: String,
    /// It is `evt.type`, or `evt.type` transformed.
    pub(super) is_event_type: bool,
    /// [`FieldFlags`] of the field.
    pub(super) flags: u32,
    compare: Compare,
}

impl Typed {
    /// Whether the field may stand beside another field, or be one.
    pub(super) const fn supports_fields(&self) -> bool {
        self.flags & FieldFlags::NO_RHS == 0
    }

    /// How a comparison with `operator` applies to the values.
    pub(super) const fn quantifier(&self, operator: Operator) -> Quantifier {
        match self.compare {
            Compare::Any(_) => Quantifier::Any,
            Compare::EitherEnd(_) => Quantifier::Ends,
            Compare::Native(_) => Quantifier::One,
            Compare::Plain if !self.is_list => Quantifier::One,
            Compare::Plain if matches!(operator, Operator::Intersects) => Quantifier::Any,
            Compare::Plain => Quantifier::All,
        }
    }
}

/// Types an operand; the error is Falco's text.
pub(super) fn typed(operand: &Operand) -> Result<Typed, String> {
    match operand {
        Operand::Field { name, argument, .. } => field(name, argument.as_deref()),
        Operand::Transformer { transformer, arguments, index, .. } => match arguments.as_slice() {
            [single] => unary(*transformer, single, index.as_deref()),
            _ => multivalue(*transformer, arguments, index.as_deref()),
        },
    }
}

fn field(name: &str, argument: Option<&str>) -> Result<Typed, String> {
    let field = lookup(name, argument).map_err(|error| error.0)?;
    let compare = match field.info.compare {
        Compare::Native(read) => Compare::Native(read),
        compare if field.arg == Arg::None => compare,
        _ => Compare::Plain,
    };
    let read = match compare {
        Compare::Plain => field.info.read,
        Compare::Any(read) | Compare::EitherEnd(read) | Compare::Native(read) => read,
    };
    Ok(Typed {
        ty: field.ty,
        is_list: field.is_list,
        name: field.info.name.to_owned(),
        text: field.text.to_string(),
        is_event_type: field.info.name == "evt.type",
        flags: field.info.flags,
        compare,
        source: Source::Field { is_text: may_contain_nul(&field), field, read },
    })
}

/// Whether a field is text that may have a NUL in it: what stands in the event itself, and names
/// of descriptors, which may be addresses of unix sockets. All other texts end before one.
fn may_contain_nul(field: &Field) -> bool {
    const RAW: [&str; 5] = ["evt.", "fs.path.", "fd.name", "fd.containername", "static."];
    const MADE: [&str; 4] = ["evt.type", "evt.dir", "evt.category", "fd.name_changed"];
    let begins = |starts: &[&str]| starts.iter().any(|s| field.info.name.starts_with(s));
    Family::of(field.ty) == Family::Text && begins(&RAW) && !begins(&MADE)
}

fn unary(
    transformer: Transformer,
    argument: &Argument,
    index: Option<&str>,
) -> Result<Typed, String> {
    use DataType as T;
    let name = transformer.name();
    if matches!(transformer, Transformer::Join | Transformer::Concat | Transformer::GetOpt) {
        return Err(format!("unknown field transfomer '{name}'"));
    }
    let inner = self::argument(argument)?;
    if index.is_some() {
        return Err(format!("filter error: transformer '{name}' does not support field arguments"));
    }
    if inner.flags & FieldFlags::NO_TRANSFORMER != 0 {
        return Err(format!("field '{}' does not support transformers", inner.name));
    }
    let is_text = matches!(inner.ty, T::CharBuf | T::FsPath | T::FsRelPath);
    let is_bytes = is_text || inner.ty == T::ByteBuf;
    let result = match transformer {
        Transformer::Len if inner.is_list || is_bytes => Some((T::UInt64, false)),
        Transformer::Base64 if is_bytes => Some((inner.ty, inner.is_list)),
        Transformer::ToLower | Transformer::ToUpper | Transformer::Basename if is_text => {
            Some((inner.ty, inner.is_list))
        }
        _ => None,
    };
    let Some((ty, is_list)) = result else {
        let (ty, list) = (inner.ty.name(), if inner.is_list { "list " } else { "" });
        return Err(format!(
            "can't add field transformer: type '{ty}' is not supported by '{name}' transformer applied on {list}field '{}'",
            inner.name
        ));
    };
    Ok(Typed {
        text: format!("{name}({})", inner.text),
        ty,
        is_list,
        source: apply(transformer, vec![inner.source], None),
        name: inner.name,
        is_event_type: inner.is_event_type,
        flags: inner.flags,
        compare: Compare::Plain,
    })
}

fn multivalue(
    transformer: Transformer,
    arguments: &[Argument],
    index: Option<&str>,
) -> Result<Typed, String> {
    let typed: Vec<Typed> = arguments.iter().map(argument).collect::<Result<_, _>>()?;
    check_arguments(transformer, &typed)?;
    let name = transformer.name();
    let selector = match (transformer, index.map(str::as_bytes)) {
        (_, None) => None,
        (Transformer::GetOpt, Some([option])) => Some(*option),
        (Transformer::GetOpt, Some(_)) => {
            return Err("getopt() field argument must be a single option character".to_owned());
        }
        _ => return Err(format!("transformer '{name}' does not support field arguments")),
    };
    let texts: Vec<_> = typed.iter().map(|argument| argument.text.as_str()).collect();
    let shown = index.map_or_else(String::new, |index| format!("[{index}]"));
    Ok(Typed {
        text: format!("{name}({}){shown}", texts.join(",")),
        ty: DataType::CharBuf,
        is_list: transformer == Transformer::GetOpt && selector.is_none(),
        name: name.to_owned(),
        is_event_type: false,
        flags: 0,
        compare: Compare::Plain,
        source: apply(transformer, typed.into_iter().map(|t| t.source).collect(), selector),
    })
}

fn check_arguments(transformer: Transformer, arguments: &[Typed]) -> Result<(), String> {
    let is_string = |typed: &Typed| Family::of(typed.ty) == Family::Text;
    let complaint = match (transformer, arguments) {
        (Transformer::Join, [separator, list]) => match (separator.is_list, list.is_list) {
            (true, _) => "join() first argument (separator) must be a single value, not a list",
            (false, false) => "join() second argument must be a list",
            (false, true) if !is_string(separator) => "join() arguments must be strings",
            (false, true) => return Ok(()),
        },
        (Transformer::Join, _) => "join() requires exactly 2 arguments: separator and list",
        (Transformer::Concat, [_, _, ..]) => {
            if arguments.iter().all(|argument| is_string(argument) && !argument.is_list) {
                return Ok(());
            }
            "concat() arguments must be strings"
        }
        (Transformer::Concat, _) => "concat() requires at least 2 arguments",
        (Transformer::GetOpt, [list, options]) => match (list.is_list, options.is_list) {
            (false, _) => "getopt() first argument must be a list",
            (true, true) => "getopt() second argument (optstring) must be a single value",
            (true, false) if is_string(list) && is_string(options) => return Ok(()),
            (true, false) => "getopt() arguments must be strings",
        },
        (Transformer::GetOpt, _) => {
            "getopt() requires exactly 2 arguments: args list and optstring"
        }
        _ => UNKNOWN_MULTIVALUE,
    };
    Err(complaint.to_owned())
}

fn argument(argument: &Argument) -> Result<Typed, String> {
    match argument {
        Argument::Operand(operand) => typed(operand),
        Argument::Literal(text) => {
            Ok(literal(Source::Literal(text.as_bytes().into()), false, format!("{text:?}")))
        }
        Argument::List(arguments) => {
            let items: Vec<Typed> =
                arguments.iter().map(self::argument).collect::<Result<_, _>>()?;
            let texts: Vec<_> = items.iter().map(|item| item.text.as_str()).collect();
            let text = format!("({})", texts.join(","));
            let sources = items.into_iter().map(|item| item.source).collect();
            Ok(literal(Source::List(sources), true, text))
        }
    }
}

const fn literal(source: Source, is_list: bool, text: String) -> Typed {
    Typed {
        source,
        ty: DataType::CharBuf,
        is_list,
        name: String::new(),
        text,
        is_event_type: false,
        flags: 0,
        compare: Compare::Plain,
    }
}

fn apply(transformer: Transformer, arguments: Vec<Source>, selector: Option<u8>) -> Source {
    Source::Apply(Transform { transformer, arguments: arguments.into(), selector })
}
