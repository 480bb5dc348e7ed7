//! Which operator goes with which type, and how the text of a literal becomes a value.
//!
//! Texts and limits are Falco's: numbers are read
//! as C's scanf reads them, then cut to the type's width.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::lang::ast::Operator;
use super::services;
use crate::event::DataType;

/// Longest text that a literal may be, in bytes.
const MAX_TEXT: usize = 255;

/// Types that are compared alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// An integer of so many bits.
    Integer {
        /// 8 to 64.
        bits: u8,
        /// Whether it has a sign.
        is_signed: bool,
    },
    /// A floating-point number.
    Double,
    /// `true` or `false`.
    Bool,
    /// A port number.
    Port,
    /// Text and paths.
    Text,
    /// Bytes with a length.
    Buffer,
    /// An address.
    Ip,
    /// A network; values are addresses.
    Net,
    /// What can only be asked for existence.
    Other,
}

impl Family {
    /// The family of a type.
    #[must_use]
    pub const fn of(ty: DataType) -> Self {
        use DataType as T;
        match ty {
            T::Int8 => Self::signed(8),
            T::Int16 => Self::signed(16),
            T::Int32 | T::Fd32 | T::Pid32 => Self::signed(32),
            T::Int64 | T::Errno | T::Fd | T::Pid => Self::signed(64),
            T::UInt8 | T::Flags8 | T::EnumFlags8 | T::SigType => Self::unsigned(8),
            T::UInt16 | T::Flags16 | T::EnumFlags16 | T::SyscallId => Self::unsigned(16),
            T::UInt32 | T::Flags32 | T::EnumFlags32 | T::Mode => Self::unsigned(32),
            T::UInt64 | T::RelTime | T::AbsTime => Self::unsigned(64),
            T::Port => Self::Port,
            T::Bool => Self::Bool,
            T::Double => Self::Double,
            T::CharBuf | T::FsPath | T::FsRelPath => Self::Text,
            T::ByteBuf => Self::Buffer,
            T::Ipv4Addr | T::Ipv6Addr | T::IpAddr => Self::Ip,
            T::IpNet => Self::Net,
            _ => Self::Other,
        }
    }

    const fn signed(bits: u8) -> Self {
        Self::Integer { bits, is_signed: true }
    }

    const fn unsigned(bits: u8) -> Self {
        Self::Integer { bits, is_signed: false }
    }
}

/// Says whether `operator` can be used on a field of type `ty`.
///
/// # Errors
///
/// With Falco's text if it can't.
pub fn check_operator(
    operator: Operator,
    has_modifier: bool,
    ty: DataType,
    is_list: bool,
) -> Result<(), String> {
    use Operator as O;
    if operator == O::Exists {
        return Ok(());
    }
    let name = operator.name();
    let refuse = |what: &str| Err(format!("filter error: '{name}' {what}"));
    let is_member = matches!(operator, O::In | O::Intersects);
    let is_equality = matches!(operator, O::Equal | O::NotEqual);
    let is_order = matches!(operator, O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual);
    if is_list {
        return if is_member { Ok(()) } else { refuse("operator not supported list filters") };
    }
    let (is_allowed, kind) = match Family::of(ty) {
        Family::Integer { .. } | Family::Double | Family::Port => {
            (is_member || is_equality || is_order, "numeric filters")
        }
        Family::Bool => (is_member || is_equality, "numeric filters"),
        Family::Text => (!matches!(operator, O::BContains | O::BStartsWith), "string filters"),
        Family::Buffer => (
            is_member
                || is_equality
                || matches!(operator, O::Contains | O::StartsWith | O::EndsWith)
                || matches!(operator, O::BContains | O::BStartsWith),
            "buffer filters",
        ),
        Family::Ip | Family::Net if has_modifier && !is_equality => {
            return refuse("with modifier not supported for ip address and network filters");
        }
        Family::Ip | Family::Net => (is_member || is_equality, "ip address and network filters"),
        Family::Other => {
            return refuse(&format!("operator not supported for type '{}'", ty.name()));
        }
    };
    if is_allowed { Ok(()) } else { refuse(&format!("operator not supported for {kind}")) }
}

/// A literal, converted to the type that it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// An integer; unsigned types as the same 64 bits.
    Integer(i64),
    /// A floating-point number.
    Double(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Text or bytes.
    Bytes(Box<[u8]>),
    /// An address.
    Ip(IpAddr),
    /// A network.
    Net(Net),
}

impl Literal {
    /// Adds its canonical text: other literals have other texts, in which no comma stands.
    pub fn write_canonical(&self, out: &mut String) {
        if let Self::Bytes(bytes) = self {
            // So that an empty text isn't nothing.
            out.push('"');
            for &byte in bytes {
                match byte {
                    b'\\' | b',' | b'(' | b')' => escaped(byte, out),
                    b' '..=b'~' => out.push(char::from(byte)),
                    _ => escaped(byte, out),
                }
            }
        } else {
            // Writing to a string can't fail.
            let _ = write!(out, "\\{self:?}");
        }
    }
}

fn escaped(byte: u8, out: &mut String) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    /// Whether `address` lies in it; addresses of the other family don't.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

/// Converts the text of a literal to the type `ty`, for `operator`.
///
/// # Errors
///
/// With Falco's text if the text isn't one of that type.
pub fn convert(text: &str, ty: DataType, operator: Operator) -> Result<Literal, String> {
    if matches!(operator, Operator::BContains | Operator::BStartsWith) {
        return unhex(text).map(|bytes| Literal::Bytes(bytes.into())).ok_or_else(|| {
            "filter error: bcontains and bstartswith operator support hex strings only".to_owned()
        });
    }
    match Family::of(ty) {
        Family::Integer { bits, is_signed } => integer(text, bits, is_signed)
            .map(Literal::Integer)
            .ok_or_else(|| format!("{text} is not a valid number")),
        Family::Double => integer(text, 64, true)
            .map(|number| Literal::Double(to_double(number)))
            .ok_or_else(|| format!("{text} is not a valid number")),
        Family::Bool => match text {
            "true" => Ok(Literal::Bool(true)),
            "false" => Ok(Literal::Bool(false)),
            _ => Err(format!("filter error: unrecognized boolean value {text}")),
        },
        Family::Port => {
            port(text).map(Literal::Integer).ok_or_else(|| format!("unrecognized protocol {text}"))
        }
        Family::Text if text.len() > MAX_TEXT => {
            let (used, available) = (text.len() + 1, MAX_TEXT + 1);
            Err(format!("filter parameter too long (used={used}, available={available}):{text}"))
        }
        Family::Buffer if text.len() > MAX_TEXT => {
            Err("filter parameter too long (byte buf)".to_owned())
        }
        Family::Text if text.contains('\0') => {
            Err("filter error: filter value cannot contain a NUL byte (\\x00)".to_owned())
        }
        Family::Text | Family::Buffer | Family::Other => Ok(Literal::Bytes(text.as_bytes().into())),
        Family::Ip => address(text).map(Literal::Ip),
        Family::Net => network(text).map(Literal::Net),
    }
}

/// An integer as scanf's `%d`, `%u`, `%ld` and `%lu` read it, with nothing behind it; too large
/// numbers are the largest of 64 bits, which are then cut to `bits`.
fn integer(text: &str, bits: u8, is_signed: bool) -> Option<i64> {
    const C_BLANKS: [char; 6] = [' ', '\t', '\n', '\x0b', '\x0c', '\r'];
    let text = text.trim_start_matches(C_BLANKS);
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let wide = if is_signed {
        let magnitude = digits.parse::<u64>().unwrap_or(u64::MAX);
        match (is_negative, i64::try_from(magnitude)) {
            (false, Ok(number)) => number,
            (true, Ok(number)) => -number,
            (false, Err(_)) => i64::MAX,
            (true, Err(_)) => i64::MIN,
        }
    } else {
        match digits.parse::<u64>() {
            Ok(number) if is_negative => number.cast_signed().wrapping_neg(),
            Ok(number) => number.cast_signed(),
            Err(_) => -1,
        }
    };
    let unused = 64 - u32::from(bits.clamp(1, 64));
    Some(if is_signed {
        wide.wrapping_shl(unused) >> unused
    } else {
        (wide.cast_unsigned() << unused >> unused).cast_signed()
    })
}

#[expect(clippy::cast_precision_loss, reason = "C converts the number in the same way")]
const fn to_double(number: i64) -> f64 {
    number as f64
}

/// A port: a number, or the name of a service; nothing is zero.
fn port(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(integer(text, 16, false).unwrap_or(0));
    }
    services::port_of(text).map(i64::from)
}

fn address(text: &str) -> Result<IpAddr, String> {
    if text.contains('.') {
        let parsed = text.parse::<Ipv4Addr>().map(IpAddr::V4);
        return parsed.map_err(|_| format!("unrecognized IPv4 address {text}"));
    }
    let parsed = text.parse::<Ipv6Addr>().map(IpAddr::V6);
    parsed.map_err(|_| format!("unrecognized IPv6 address {text}"))
}

fn network(text: &str) -> Result<Net, String> {
    let is_v4 = text.contains('.');
    let Some((host, mask)) = text.split_once('/') else {
        return Err(format!("unrecognized IP network {text}"));
    };
    let address = if is_v4 {
        let parsed = host.parse::<Ipv4Addr>().map(IpAddr::V4);
        parsed.map_err(|_| format!("unrecognized IPv4 address {text}"))?
    } else {
        let parsed = host.parse::<Ipv6Addr>().map(IpAddr::V6);
        parsed.map_err(|_| format!("unrecognized IPv6 address {text}"))?
    };
    let number = integer(mask, 32, true).ok_or_else(|| format!("{mask} is not a valid number"))?;
    let (range, kind) = if is_v4 { (0..=32, "netmask") } else { (1..=128, "v6 netmask") };
    match u8::try_from(number) {
        Ok(prefix) if range.contains(&number) => Ok(Net { address, prefix }),
        _ => Err(format!("invalid {kind} {mask}")),
    }
}

/// The bytes that pairs of hexadecimal digits stand for.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    (rest.is_empty() && !pairs.is_empty())
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str, ty: DataType) -> Result<i64, String> {
        match convert(text, ty, Operator::Equal)? {
            Literal::Integer(value) => Ok(value),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_read_as_scanf_reads_them() {
        assert_eq!(number("5", DataType::Int64), Ok(5));
        assert_eq!(number(" +5", DataType::Int64), Ok(5));
        assert_eq!(number("-1", DataType::UInt32), Ok(0xffff_ffff));
        assert_eq!(number("-1", DataType::UInt64), Ok(-1));
        assert_eq!(number("65536", DataType::Int16), Ok(0));
        assert_eq!(number("99999999999999999999", DataType::Int64), Ok(i64::MAX));
        assert_eq!(number("99999999999999999999", DataType::Int32), Ok(-1));
        assert_eq!(number("70000", DataType::Port), Ok(4464));
        assert_eq!(number("", DataType::Port), Ok(0));
    }

    #[test]
    fn what_is_not_a_decimal_number_is_refused() {
        for text in ["", "5 ", "0x10", "1.5", "1e+3", "+", "one"] {
            let error = number(text, DataType::Int64).unwrap_err();
            assert_eq!(error, format!("{text} is not a valid number"));
        }
    }

    #[test]
    fn networks_need_a_mask_in_range() {
        let error = |text| network(text).unwrap_err();
        assert_eq!(error("10.0.0.1"), "unrecognized IP network 10.0.0.1");
        assert_eq!(error("10.0.0.0/-1"), "invalid netmask -1");
        assert_eq!(error("10.0.0.0/33"), "invalid netmask 33");
        assert_eq!(error("::/0"), "invalid v6 netmask 0");
        assert_eq!(error("10.0.0.0/8/8"), "8/8 is not a valid number");
        assert_eq!(error("/8"), "unrecognized IPv6 address /8");
    }

    #[test]
    fn a_network_holds_the_addresses_under_its_mask() {
        let net = network("10.1.0.0/16").unwrap();
        assert!(net.contains("10.1.255.7".parse().unwrap()));
        assert!(!net.contains("10.2.0.0".parse().unwrap()));
        assert!(!net.contains("::1".parse().unwrap()));
        assert!(network("0.0.0.0/0").unwrap().contains("255.1.2.3".parse().unwrap()));
        assert!(network("fe80::/10").unwrap().contains("febf::1".parse().unwrap()));
    }

    #[test]
    fn hex_strings_have_an_even_number_of_digits() {
        assert_eq!(unhex("4142"), Some(b"AB".to_vec()));
        assert_eq!(unhex("414"), None);
        assert_eq!(unhex("4g"), None);
    }
}
