//! `evt.*` and `syscall.*`: what happened and when.

use super::evt_kind::{self as kind, Way};
use super::evt_open as open;
use super::evt_result::{self as result, Target};
use super::evt_time::{self as time, SECOND};
use super::{
    Arg, ArgKind as A, Compare, FieldClass, FieldFlags as F, FieldInfo, absent, field, render,
};
use crate::event::{DataType as T, Event, EventFlags, Param, Value};

/// These fields can be used for all event types.
pub static CLASS: FieldClass = FieldClass {
    name: "evt",
    short: "All event types",
    doc: "These fields can be used for all event types.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("evt.num", T::UInt64, "Running number of the event, starts at 1.", |e, _| Some(Value::UInt(e.num))),
    field("evt.time", T::CharBuf, "Local wall time HH:MM:SS.nnnnnnnnn; JSON: ns epoch integer.", |e, _| Some(time::shown(e, time::Form::Time))),
    field("evt.time.s", T::CharBuf, "Local wall time HH:MM:SS; JSON: ns epoch.", |e, _| Some(time::shown(e, time::Form::TimeSeconds))),
    field("evt.time.iso8601", T::CharBuf, "UTC YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000; JSON: ns epoch.", |e, _| Some(time::shown(e, time::Form::Iso8601))),
    field("evt.datetime", T::CharBuf, "Local YYYY-MM-DD HH:MM:SS.nnnnnnnnn; JSON: ns epoch.", |e, _| Some(time::shown(e, time::Form::DateTime))),
    field("evt.datetime.s", T::CharBuf, "Local YYYY-MM-DD HH:MM:SS; JSON: ns epoch.", |e, _| Some(time::shown(e, time::Form::DateTimeSeconds))),
    field("evt.rawtime", T::AbsTime, "Nanoseconds since epoch.", |e, _| Some(Value::UInt(e.ts))),
    field("evt.rawtime.s", T::AbsTime, "Seconds since epoch.", |e, _| Some(Value::UInt(e.ts / SECOND))),
    field("evt.rawtime.ns", T::AbsTime, "Nanoseconds part of the timestamp, 9 digits zero-padded in text.", |e, _| Some(Value::UInt(e.ts % SECOND))).flags(F::PF_10_PADDED_DEC),
    field("evt.reltime", T::RelTime, "Nanoseconds since the first event.", |e, _| Some(Value::UInt(time::since_first(e)))).flags(F::PF_10_PADDED_DEC),
    field("evt.reltime.s", T::RelTime, "Whole seconds since the first event.", |e, _| Some(Value::UInt(time::since_first(e) / SECOND))),
    field("evt.reltime.ns", T::RelTime, "Nanoseconds remainder since the first event.", |e, _| Some(Value::UInt(time::since_first(e) % SECOND))).flags(F::PF_10_PADDED_DEC),
    field("evt.pluginname", T::CharBuf, "Name of the source plugin of the event; absent for syscalls.", absent),
    field("evt.plugininfo", T::CharBuf, "Textual form of a plugin event; absent for syscalls.", absent),
    field("evt.source", T::CharBuf, "Event source name (syscall).", |_, _| Some(Value::Bytes(b"syscall"))),
    field("evt.is_async", T::Bool, "True for meta events (category metaevent).", |e, _| Some(Value::Bool(kind::is_meta(e)))),
    field("evt.asynctype", T::CharBuf, "Name of a meta/async event; absent otherwise.", |e, _| kind::is_meta(e).then(|| Value::Bytes(kind::name(e)))),
    field("evt.hostname", T::CharBuf, "Host name (FALCO_HOSTNAME overrides); empty in a replay.", |e, _| Some(Value::Bytes(&e.world.host.hostname))),
    field("evt.latency", T::RelTime, "Deprecated, constant 0.", zero).flags(F::DEPRECATED),
    field("evt.latency.s", T::RelTime, "Deprecated, constant 0.", zero).flags(F::DEPRECATED),
    field("evt.latency.ns", T::RelTime, "Deprecated, constant 0.", zero).flags(F::DEPRECATED | F::PF_10_PADDED_DEC),
    field("evt.latency.quantized", T::UInt64, "Deprecated, constant 0.", zero).flags(F::TABLE_ONLY | F::DEPRECATED),
    field("evt.latency.human", T::CharBuf, "Deprecated, constant 0ns.", |_, _| Some(Value::Bytes(b"0ns"))).flags(F::DEPRECATED),
    field("evt.deltatime", T::RelTime, "Constant 0: earlier evaluations are not remembered.", zero),
    field("evt.deltatime.s", T::RelTime, "Constant 0.", zero),
    field("evt.deltatime.ns", T::RelTime, "Constant 0.", zero).flags(F::PF_10_PADDED_DEC),
    field("evt.outputtime", T::CharBuf, "Time per output mode; default same as evt.time.", |e, _| Some(time::shown(e, time::Form::Time))).flags(F::PRINT_ONLY),
    field("evt.dir", T::CharBuf, "Deprecated; < for exit events, > for enter events (only exit events exist now).", |e, _| Some(Value::Bytes(e.ty.info().direction().as_bytes()))).flags(F::DEPRECATED),
    field("evt.type", T::CharBuf, "Event name; for generic syscalls the syscall name.", |e, _| Some(Value::Bytes(kind::name(e)))),
    field("evt.type.is", T::UInt32, "evt.type.is.NAME: 1 if the event has that type, else 0.", kind::is_type).arg(A::DOT.required()),
    field("syscall.type", T::CharBuf, "Like evt.type but absent for non-syscall events.", |e, _| kind::is_syscall(e).then(|| Value::Bytes(kind::name(e)))),
    field("evt.category", T::CharBuf, "Category name of the event.", |e, _| Some(Value::Bytes(kind::category(e).as_bytes()))),
    field("evt.cpu", T::Int16, "CPU number.", |e, _| e.cpu.map(|cpu| Value::Int(cpu.into()))),
    field("evt.args", T::CharBuf, "All parameters as name=value(resolved) joined by blanks.", |e, _| render::arguments(e).map(Value::Bytes)),
    field("evt.arg", T::CharBuf, "One parameter as text: resolved form if not empty, else plain form; evt.arg.NAME or evt.arg[N].", argument).arg(A::DOT_OR_INDEX.required()),
    field("evt.rawarg", T::Dyn, "One parameter with its native type; evt.rawarg.NAME.", raw_argument).arg(A::DOT.required()).flags(F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::Native(native_argument)),
    field("evt.info", T::CharBuf, "Same as evt.args.", |e, _| render::arguments(e).map(Value::Bytes)),
    field("evt.buffer", T::ByteBuf, "I/O data of the event (param data).", buffer),
    field("evt.buflen", T::UInt64, "Return value if >=0 for I/O events on a known fd.", |e, _| result::buflen(e, Way::Any, Target::Any)),
    field("evt.res", T::CharBuf, "SUCCESS if return value >=0, else errno name; absent if the event has no return value.", result::symbol),
    field("evt.rawres", T::Int64, "Numeric return value.", result::raw),
    field("evt.failed", T::Bool, "True if return value <0; absent without return value.", |e, _| result::has_failed(e).map(Value::Bool)),
    field("evt.is_io", T::Bool, "True for events flagged read or write.", |e, _| Some(Value::Bool(kind::is_io(e, Way::Any)))),
    field("evt.is_io_read", T::Bool, "True for events flagged read.", |e, _| Some(Value::Bool(kind::is_io(e, Way::In)))),
    field("evt.is_io_write", T::Bool, "True for events flagged write.", |e, _| Some(Value::Bool(kind::is_io(e, Way::Out)))),
    field("evt.io_dir", T::CharBuf, "read or write; absent otherwise.", kind::io_direction),
    field("evt.is_wait", T::Bool, "True for blocking events (flag WAITS).", |e, _| Some(Value::Bool(e.ty.info().has(EventFlags::WAITS)))),
    field("evt.wait_latency", T::RelTime, "Deprecated, constant 0.", zero).flags(F::DEPRECATED),
    field("evt.is_syslog", T::Bool, "True for writes to the syslog socket.", kind::is_syslog),
    field("evt.count", T::UInt32, "Constant 1.", |_, _| Some(Value::UInt(1))),
    field("evt.count.error", T::UInt32, "1/0 whether return value <0; absent without return value.", |e, _| result::error_count(e)),
    field("evt.count.error.file", T::UInt32, "As evt.count.error, only for file/directory fds or failed opens.", |e, _| result::error_count_of(e, result::Class::File)),
    field("evt.count.error.net", T::UInt32, "As evt.count.error, only for socket fds or failed accept/connect.", |e, _| result::error_count_of(e, result::Class::Net)),
    field("evt.count.error.memory", T::UInt32, "As evt.count.error, only for memory category.", |e, _| result::error_count_of(e, result::Class::Memory)),
    field("evt.count.error.other", T::UInt32, "As evt.count.error, for the rest.", |e, _| result::error_count_of(e, result::Class::Other)),
    field("evt.count.exit", T::UInt32, "1 for exit events.", |e, _| kind::is_syscall(e).then_some(Value::UInt(1))),
    field("evt.count.procinfo", T::UInt32, "1 for procinfo event of a main thread, else 0.", |e, _| Some(Value::UInt(kind::is_procinfo(e, true).into()))).flags(F::TABLE_ONLY),
    field("evt.count.threadinfo", T::UInt32, "1 for procinfo events, else 0.", |e, _| Some(Value::UInt(kind::is_procinfo(e, false).into()))).flags(F::TABLE_ONLY),
    field("evt.around", T::UInt64, "Time window filter.", time::distance).arg(A::KEY.required()).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("evt.abspath", T::CharBuf, "Absolute path of *at syscalls; evt.abspath.src / .dst for two-path syscalls.", open::abspath).arg(A::DOT),
    field("evt.buflen.in", T::UInt64, "Buflen of read events.", |e, _| result::buflen(e, Way::In, Target::Any)).flags(F::TABLE_ONLY),
    field("evt.buflen.out", T::UInt64, "Buflen of write events.", |e, _| result::buflen(e, Way::Out, Target::Any)).flags(F::TABLE_ONLY),
    field("evt.buflen.file", T::UInt64, "Buflen on files.", |e, _| result::buflen(e, Way::Any, Target::File)).flags(F::TABLE_ONLY),
    field("evt.buflen.file.in", T::UInt64, "Buflen of reads on files.", |e, _| result::buflen(e, Way::In, Target::File)).flags(F::TABLE_ONLY),
    field("evt.buflen.file.out", T::UInt64, "Buflen of writes on files.", |e, _| result::buflen(e, Way::Out, Target::File)).flags(F::TABLE_ONLY),
    field("evt.buflen.net", T::UInt64, "Buflen on IP sockets.", |e, _| result::buflen(e, Way::Any, Target::Net)).flags(F::TABLE_ONLY),
    field("evt.buflen.net.in", T::UInt64, "Buflen of reads on IP sockets.", |e, _| result::buflen(e, Way::In, Target::Net)).flags(F::TABLE_ONLY),
    field("evt.buflen.net.out", T::UInt64, "Buflen of writes on IP sockets.", |e, _| result::buflen(e, Way::Out, Target::Net)).flags(F::TABLE_ONLY),
    field("evt.is_open_read", T::Bool, "Open-family event whose flags include read access.", |e, _| open::has_access(e, open::READ)),
    field("evt.is_open_write", T::Bool, "Open-family event whose flags include write access.", |e, _| open::has_access(e, open::WRITE)),
    field("evt.infra.docker.name", T::CharBuf, "Docker infrastructure event: name.", absent).flags(F::TABLE_ONLY),
    field("evt.infra.docker.container.id", T::CharBuf, "Docker infrastructure event: short id.", absent).flags(F::TABLE_ONLY),
    field("evt.infra.docker.container.name", T::CharBuf, "Docker infrastructure event: container name.", absent).flags(F::TABLE_ONLY),
    field("evt.infra.docker.container.image", T::CharBuf, "Docker infrastructure event: image.", absent).flags(F::TABLE_ONLY),
    field("evt.is_open_exec", T::Bool, "Open-family/creat event creating a file with any x bit.", open::is_executable),
    field("evt.is_open_create", T::Bool, "Open-family event that created a file.", open::is_created),
];

/// What Falco no longer measures; and what it would need a memory of earlier evaluations for, and
/// always gives as zero in JSON.
fn zero<'a>(_: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    Some(Value::UInt(0))
}

/// Index of the parameter that an argument names for an event of this type.
#[must_use]
pub fn param_index(event: &Event<'_>, arg: &Arg) -> Option<usize> {
    let index = match arg {
        Arg::Index(index) => usize::try_from(*index).ok()?,
        Arg::Param(by_type) => match by_type.get(event.ty.index()).copied()? {
            u8::MAX => return None,
            index => usize::from(index),
        },
        Arg::None | Arg::Key(_) => return None,
    };
    (index < render::shown_params(event).len()).then_some(index)
}

fn argument<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    render::argument(event, param_index(event, arg)?).map(Value::Bytes)
}

/// The parameter's native value. Without data, a number is absent and a text is `<NA>`.
fn raw_argument<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let index = param_index(event, arg)?;
    let info = render::shown_params(event).get(index)?;
    let param = event.param(index);
    match param {
        Param::Empty if matches!(info.ty, T::CharBuf | T::FsPath | T::FsRelPath) => {
            Some(Value::Bytes(b"<NA>"))
        }
        Param::Unknown | Param::Empty | Param::Partial { .. } => None,
        Param::NotNegative => Some(Value::NotNegative),
        Param::Bytes(bytes) => Some(Value::Bytes(bytes)),
        Param::Int(_) | Param::UInt(_) | Param::Chosen { .. } => {
            Some(if render::type_of(info, param).is_signed() {
                Value::Int(param.as_i64()?)
            } else {
                Value::UInt(param.as_u64()?)
            })
        }
    }
}

/// The same for comparisons: a number with the type that it has in this event, which need not be
/// the one that the literal was read for.
fn native_argument<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let value = raw_argument(event, arg)?;
    let bits = match value {
        Value::Int(number) => number.cast_unsigned(),
        Value::UInt(number) => number,
        other => return Some(other),
    };
    let index = param_index(event, arg)?;
    let info = render::shown_params(event).get(index)?;
    Some(Value::Native(render::type_of(info, event.param(index)), bits))
}

/// The data that was read or written, as far as it was captured.
fn buffer<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    match event.param_named("data") {
        Param::Bytes(bytes) => Some(Value::Bytes(bytes)),
        Param::Empty => Some(Value::Bytes(b"")),
        // Of ptrace: a number, as it stands in a capture.
        param => {
            let bytes = param.as_u64()?.to_le_bytes();
            Some(Value::Bytes(event.arena.alloc_slice_copy(&bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, shown};
    use super::*;

    #[test]
    fn a_parameter_is_shown_resolved_and_given_raw() {
        let scene = Scene::new("openat").with_params(&[
            Param::Int(-2),
            Param::Int(-100),
            Param::Bytes(b"nope"),
            Param::UInt(4097),
            Param::UInt(0o644),
            Param::UInt(0x801),
            Param::UInt(77),
        ]);
        assert_eq!(
            shown(&scene, "evt.args"),
            "fd=-2(ENOENT) dirfd=-100(AT_FDCWD) name=nope(/root/nope) \
             flags=4097(O_RDONLY|O_CLOEXEC) mode=0644 dev=801 ino=77"
        );
        assert_eq!(shown(&scene, "evt.arg.flags"), "O_RDONLY|O_CLOEXEC");
        assert_eq!(shown(&scene, "evt.arg[2]"), "/root/nope");
        assert_eq!(shown(&scene, "evt.arg[9]"), "<NA>");
        assert_eq!(shown(&scene, "evt.arg.sig"), "<NA>");
        assert_eq!(shown(&scene, "evt.rawarg.name"), "nope");
        assert_eq!(shown(&scene, "evt.rawarg.flags"), "1001");
        assert_eq!(shown(&scene, "evt.rawarg.mode"), "644");
        assert_eq!(shown(&scene, "evt.rawarg.fd"), "-2");
    }

    #[test]
    fn what_a_live_source_cannot_tell_is_absent() {
        let scene = Scene::new("openat").with_params(&[
            Param::NotNegative,
            Param::Unknown,
            Param::Bytes(b"/etc/passwd"),
            Param::Partial { value: 1, unknown: 4096 },
        ]);
        assert_eq!(shown(&scene, "evt.arg.fd"), "<NA>");
        assert_eq!(shown(&scene, "evt.arg.flags"), "<NA>");
        assert_eq!(shown(&scene, "evt.args"), "name=/etc/passwd");
        assert_eq!(shown(&scene, "evt.rawarg.flags"), "<NA>");
        assert_eq!(shown(&scene, "evt.res"), "SUCCESS");
        assert_eq!(shown(&scene, "evt.failed"), "false");
        assert_eq!(scene.value("evt.rawres"), Some("NotNegative".to_owned()));
        assert_eq!(shown(&scene, "evt.is_open_read"), "true");
        assert_eq!(shown(&scene, "evt.is_open_write"), "false");
    }

    #[test]
    fn an_access_mode_that_is_not_known_is_absent() {
        let scene = Scene::new("openat").with_params(&[
            Param::NotNegative,
            Param::Unknown,
            Param::Bytes(b"/etc/passwd"),
            Param::Partial { value: 1, unknown: 2 },
        ]);
        assert_eq!(shown(&scene, "evt.is_open_read"), "true");
        assert_eq!(shown(&scene, "evt.is_open_write"), "<NA>");
    }

    #[test]
    fn a_parameter_without_data_says_so() {
        let scene = Scene::new("read").with_params(&[
            Param::Int(0),
            Param::Empty,
            Param::Int(99),
            Param::UInt(4096),
        ]);
        assert_eq!(shown(&scene, "evt.args"), "res=0 data=NULL fd=99 size=4096");
        assert_eq!(shown(&scene, "evt.arg.data"), "NULL");
        let scene = Scene::new("bind").with_params(&[Param::Int(0), Param::Empty, Param::Int(8)]);
        assert_eq!(shown(&scene, "evt.args"), "res=0 addr=<NA> fd=8");
    }

    #[test]
    fn a_generic_call_has_no_parameters_and_no_result() {
        let scene = Scene::new("getrandom");
        assert_eq!(shown(&scene, "evt.args"), "");
        assert_eq!(shown(&scene, "evt.res"), "<NA>");
        assert_eq!(shown(&scene, "evt.type"), "getrandom");
        assert_eq!(shown(&scene, "syscall.type"), "getrandom");
    }
}
