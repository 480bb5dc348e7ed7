//! The agent as it runs: builds the parts, and runs the loop.

/// What /proc/version says.
#[must_use]
pub fn kernel_version() -> Option<String> {
    let text = std::fs::read("/proc/version").ok()?;
    Some(String::from_utf8_lossy(&text).trim_end().to_owned())
}
