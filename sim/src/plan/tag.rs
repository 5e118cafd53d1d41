//! A tag in a saved plan. The ledger's own file has no serde, since the stand-in for std compiles it too.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ledger::Tag;

/// The fields of a [`Tag`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Tag")]
struct Fields {
    peer: u32,
    request: u64,
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tag, D::Error> {
        Fields::deserialize(deserializer)
    }
}
