//! The folder of saved cases.

use std::fs;
use std::path::Path;

use super::error::Error;

/// Returns an error for a folder in which no file can be created, before time is spent on finding a case to save.
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    let refused = |source| Error::Folder { folder: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(refused)?;
    // Only writing distinguishes permissions, read-only mounts and full disks. The name contains the process, so that
    // two concurrent commands do not remove each other's file.
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"").map_err(refused)?;
    fs::remove_file(&probe).map_err(refused)
}
