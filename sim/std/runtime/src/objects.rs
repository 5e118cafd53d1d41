//! The objects of a run by their address: atomics, locks and futex words have no space to store an object number.

use lastref_kernel::record::ObjectId;

/// A hash table with open addressing. Addresses are never removed, since a run of ordinary size does not reuse those of
/// its heap. A second object at the same address, as on a stack, has the number of the first.
pub(crate) struct Objects {
    /// Address and number; address 0 marks an empty slot.
    places: Vec<(usize, ObjectId)>,
    used: usize,
}

const PLACES: usize = 256;

impl Objects {
    /// The object of the scheduling points after an operation.
    pub(crate) const AFTER: ObjectId = ObjectId(0);
    /// The object of fences.
    pub(crate) const FENCE: ObjectId = ObjectId(1);
    /// The word on which tasks wait for descriptors.
    pub(crate) const DESCRIPTORS: ObjectId = ObjectId(2);
    /// Labels of the objects that a run registers first.
    pub(crate) const FIRST: [(ObjectId, &'static str); 3] =
        [(Objects::AFTER, "after"), (Objects::FENCE, "fence"), (Objects::DESCRIPTORS, "descriptor")];

    pub(crate) fn new() -> Objects {
        Objects { places: vec![(0, ObjectId::NONE); PLACES], used: 0 }
    }

    /// Forgets the objects of the previous run.
    pub(crate) fn clear(&mut self) {
        if self.used > 0 {
            self.places.fill((0, ObjectId::NONE));
            self.used = 0;
        }
    }

    /// The number of the object at this address; a new address gets the number that `new` returns.
    #[inline]
    pub(crate) fn at(&mut self, address: usize, new: impl FnOnce() -> ObjectId) -> ObjectId {
        let place = self.place(address);
        if self.places[place].0 == address {
            return self.places[place].1;
        }
        let id = new();
        self.places[place] = (address, id);
        self.used += 1;
        if self.used * 2 > self.places.len() {
            self.grow();
        }
        id
    }

    /// The number of the object at this address, if it is known.
    pub(crate) fn known(&self, address: usize) -> Option<ObjectId> {
        let (found, id) = self.places[self.place(address)];
        (found == address).then_some(id)
    }

    /// The index of the slot that holds this address, or of the free slot for it.
    #[inline]
    fn place(&self, address: usize) -> usize {
        let mask = self.places.len() - 1;
        let mut place = (address >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize) >> 40 & mask;
        while self.places[place].0 != address && self.places[place].0 != 0 {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let larger = vec![(0, ObjectId::NONE); self.places.len() * 2];
        let known = std::mem::replace(&mut self.places, larger);
        for (address, id) in known.into_iter().filter(|(address, _)| *address != 0) {
            let place = self.place(address);
            self.places[place] = (address, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_number_while_the_table_grows() {
        let mut objects = Objects::new();
        for round in 0..2 {
            for address in 1..2_000 {
                let id = objects.at(address * 8, || ObjectId(address as u32));
                assert_eq!(id, ObjectId(address as u32), "round {round}");
            }
        }
        assert_eq!((objects.known(80), objects.known(81)), (Some(ObjectId(10)), None));
        objects.clear();
        assert_eq!(objects.known(80), None);
    }
}
