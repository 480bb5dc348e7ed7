//! How a field's value is printed in the text of an alert.

use std::io::Write;

use super::lookup::Field;
use super::text::{Text, printable};
use super::{FieldFlags, evt, render, tuple};
use crate::event::{Base, DataType, Event, ParamInfo, Value};

/// How a number is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Number {
    /// Decimal digits.
    Decimal,
    /// Upper-case hexadecimal digits without prefix.
    Hex,
    /// Octal digits without prefix.
    Octal,
    /// Nine decimal digits with leading zeros.
    Padded,
    /// Falco doesn't print it: `evt.type.is`.
    Hidden,
}

/// How a field's number is printed in this event.
#[must_use]
pub fn number_form(event: &Event<'_>, field: &Field) -> Number {
    let info = field.info;
    if info.name == "evt.type.is" {
        return Number::Hidden;
    }
    if info.ty == DataType::Dyn {
        return match param_of(event, field).map_or(Base::Decimal, |param| param.base) {
            Base::Decimal => Number::Decimal,
            Base::Hex => Number::Hex,
            Base::Octal => Number::Octal,
        };
    }
    if info.has(FieldFlags::PF_HEX) {
        return Number::Hex;
    }
    if info.has(FieldFlags::PF_10_PADDED_DEC) { Number::Padded } else { Number::Decimal }
}

/// The parameter that an `evt.rawarg` field is in this event.
#[must_use]
pub fn param_of(event: &Event<'_>, field: &Field) -> Option<&'static ParamInfo> {
    event.ty.info().params.get(evt::param_index(event, &field.arg)?)
}

/// Appends a field's text; false if it has no value.
pub fn push_field(event: &Event<'_>, field: &Field, out: &mut Vec<u8>) -> bool {
    match (field.info.read)(event, &field.arg) {
        Some(value) => push_field_value(event, field, value, out),
        None => false,
    }
}

/// Appends the text of a field's value; false if Falco prints it as absent.
pub fn push_field_value(
    event: &Event<'_>,
    field: &Field,
    value: Value<'_>,
    out: &mut Vec<u8>,
) -> bool {
    match value {
        Value::Int(_) | Value::UInt(_) => {
            let ty = param_of(event, field).map_or(field.ty, |param| param.ty);
            push_number(value, number_form(event, field), ty, out)
        }
        Value::Bytes(bytes) => {
            out.extend_from_slice(shown_bytes(event, field, bytes));
            true
        }
        other => push_value(other, out),
    }
}

/// Bytes as the field prints them.
#[must_use]
pub fn shown_bytes<'a>(event: &Event<'a>, field: &Field, bytes: &'a [u8]) -> &'a [u8] {
    if field.info.has(FieldFlags::SANITISED) {
        return printable(event.arena, bytes);
    }
    let ty = param_of(event, field).filter(|_| field.info.ty == DataType::Dyn);
    match ty.map_or(field.info.ty, |param| param.ty) {
        DataType::ByteBuf => shown_buffer(event, field, bytes),
        DataType::SockAddr => address_text(event, |text| {
            tuple::sock_addr(bytes).map(|address| tuple::push_sock_addr(text, address))
        }),
        DataType::SockTuple => address_text(event, |text| {
            tuple::sock_tuple(bytes).map(|tuple| tuple::push_sock_tuple(text, tuple))
        }),
        _ => bytes,
    }
}

fn address_text<'a>(event: &Event<'a>, push: impl FnOnce(&mut Text<'a>) -> Option<()>) -> &'a [u8] {
    let mut text = Text::new(event.arena);
    let _ = push(&mut text);
    text.finish()
}

fn shown_buffer<'a>(event: &Event<'a>, field: &Field, bytes: &[u8]) -> &'a [u8] {
    if field.info.ty == DataType::Dyn {
        return render::buffer(event.arena, bytes, event.world.buffers_in_base64);
    }
    render::shown_buffer(event)
}

fn push_number(value: Value<'_>, form: Number, ty: DataType, out: &mut Vec<u8>) -> bool {
    let bits = match value {
        Value::Int(number) => number.cast_unsigned(),
        Value::UInt(number) => number,
        _ => return false,
    };
    // Writing into a vector cannot fail.
    let _ = match form {
        Number::Hidden => return false,
        Number::Hex => write!(out, "{:X}", ty.masked(bits)),
        Number::Octal => write!(out, "{:o}", ty.masked(bits)),
        Number::Padded => write!(out, "{bits:09}"),
        Number::Decimal => return push_value(value, out),
    };
    true
}

/// Appends a value without the peculiarities of a field; false if it is known in part only.
pub fn push_value(value: Value<'_>, out: &mut Vec<u8>) -> bool {
    let _ = match value {
        Value::Int(number) => write!(out, "{number}"),
        Value::UInt(number) | Value::Native(_, number) => write!(out, "{number}"),
        Value::Bool(answer) => write!(out, "{answer}"),
        Value::Double(number) => write!(out, "{number:.1}"),
        Value::Bytes(bytes) => out.write_all(bytes),
        Value::Ip(address) => {
            tuple::push_ip(out, address);
            Ok(())
        }
        Value::List(values) => {
            push_list(values, out);
            Ok(())
        }
        Value::NotNegative => return false,
    };
    true
}

/// `(a,b,c)`, cut as Falco cuts it.
fn push_list(values: &[Value<'_>], out: &mut Vec<u8>) {
    const LONGEST: usize = 1023;
    let start = out.len();
    out.push(b'(');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_value(*value, out);
    }
    out.push(b')');
    out.truncate(start + LONGEST);
}
