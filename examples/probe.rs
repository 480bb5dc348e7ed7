#![allow(missing_docs)]
use eyas::event::*;
use eyas::fields::lookup;
use std::ops::ControlFlow;
fn container_of(cgroups: &[u8]) -> InContainer {
    for item in cgroups.split(|b| *b == 0) {
        if let Some(pos) = item.iter().rposition(|b| *b == b'/' || *b == b'-') {
            let mut rest = &item[pos + 1..];
            if let Some(r) = rest.strip_suffix(b".scope") {
                rest = r;
            }
            if rest.len() == 64 && rest.iter().all(u8::is_ascii_hexdigit) {
                return InContainer::Id(rest[..12].into());
            }
        }
    }
    InContainer::Host
}
fn show(v: Value<'_>, out: &mut String) {
    match v {
        Value::Bytes(b) => {
            out.push_str("s:");
            out.push_str(&String::from_utf8_lossy(b).escape_debug().to_string());
        }
        Value::Int(i) => out.push_str(&format!("i:{i}")),
        Value::UInt(i) => out.push_str(&format!("i:{i}")),
        Value::Bool(b) => out.push_str(&format!("b:{b}")),
        Value::Ip(ip) => out.push_str(&format!("s:{ip}")),
        Value::List(l) => {
            out.push_str("l:");
            for x in l {
                show(*x, out);
                out.push(',');
            }
        }
        other => out.push_str(&format!("?:{other:?}")),
    }
}
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap();
    let fields: Vec<_> = args
        .map(|a| {
            let (n, arg) = match a.split_once('[') {
                Some((n, r)) => (n.to_owned(), Some(r.trim_end_matches(']').to_owned())),
                None => (a.clone(), None),
            };
            (a.clone(), lookup(&n, arg.as_deref()).unwrap_or_else(|e| panic!("{a}: {e}")))
        })
        .collect();
    let mut r =
        eyas::service::replay::Replay::open(path.as_ref(), container_of, Box::new(World::default))
            .unwrap();
    let res = r.run(|e| {
        for (name, f) in &fields {
            let mut s = String::new();
            match (f.info.read)(e, &f.arg) {
                None => s.push('-'),
                Some(v) => show(v, &mut s),
            }
            println!("{}\t{}\t{}", e.num, name, s);
        }
        if fields.is_empty() {
            println!("{} {} {} {:?}", e.num, e.ty.name(), e.tid, e.fd.num);
        }
        ControlFlow::Continue(())
    });
    if let Err(e) = res {
        eprintln!("{e}");
    }
    let s = r.summary();
    eprintln!("last {} damage {:?}", s.last_num, s.damage);
}
