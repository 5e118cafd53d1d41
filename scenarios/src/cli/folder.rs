//! The folder of saved cases.

use std::fs;
use std::path::Path;

use super::error::Error;

/// Refuses a folder in which nothing can be saved, before time is spent on finding something to save there.
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    let refused = |source| Error::Folder { folder: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(refused)?;
    // Permissions, read-only mounts and full disks look alike only to somebody who writes. The name has the process in
    // it, so that two commands at a time do not remove each other's.
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"").map_err(refused)?;
    fs::remove_file(&probe).map_err(refused)
}
