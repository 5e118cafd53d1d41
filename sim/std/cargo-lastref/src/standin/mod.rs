//! The stand-in: rlibs named `std` and `core`, in a folder for each compiler and each version of their sources.
//!
//! They are built at first use, by the user's own compiler, since rlibs of another one cannot be linked. The path of
//! the folder is part of the flags for rustc, so cargo rebuilds a crate when either changes.

mod build;
mod sources;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::environment;
use crate::error::Error;
use crate::toolchain::Toolchain;

/// Characters of a compiler's commit in the name of a folder.
const COMMIT_CHARACTERS: usize = 12;

/// A folder with the rlibs.
#[derive(Clone, Debug)]
pub(crate) struct StandIn {
    folder: PathBuf,
}

impl StandIn {
    /// The stand-in for this compiler, which is built if it does not exist.
    pub(crate) fn for_compiler(toolchain: &Toolchain) -> Result<StandIn, Error> {
        let cache = cache()?;
        let commit: String = toolchain.commit.chars().take(COMMIT_CHARACTERS).collect();
        let folder = cache.join(format!("{commit}-{}", sources::DIGEST));
        if !folder.is_dir() {
            let written = |source| Error::Write { path: cache.clone(), source };
            fs::create_dir_all(&cache).map_err(written)?;
            // Another process may be building it; then it exists when the lock is free. The system releases the lock
            // of a dead process, so no process waits for one.
            let lock = File::create(cache.join("lock")).map_err(written)?;
            lock.lock().map_err(written)?;
            if !folder.is_dir() {
                build::build(toolchain, &cache, &folder)?;
            }
        }
        Ok(StandIn { folder })
    }

    /// The folder of the rlibs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The folder of the cache.
fn cache() -> Result<PathBuf, Error> {
    let user = || {
        let xdg = environment::path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        let folder = xdg.or_else(|| environment::path("HOME").map(|home| home.join(".cache")));
        folder.map(|folder| folder.join("lastref"))
    };
    let cache = environment::path("LASTREF_CACHE").or_else(user).ok_or(Error::NoCache)?;
    // The path must be absolute, since rustc reads the flags in other folders.
    std::path::absolute(&cache).map_err(|source| Error::Write { path: cache, source })
}
