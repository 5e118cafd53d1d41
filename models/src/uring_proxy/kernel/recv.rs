//! Receives into provided buffers: single-shot and multishot, one buffer or a bundle, whole or incremental.
//!
//! A buffer is selected before the socket is looked at. From this one order follow three of the measured facts: an
//! empty ring is -ENOBUFS at once, with data or without; so is the next byte after the last buffer was used exactly;
//! and a FIN behind an empty ring stays unreported. A buffer that was selected for nothing stays in its ring.

use sim::ledger::Owner;
use sim::property::sometimes;
use sim::random;

use super::abi::{Cqe, Errno, GroupId, RingId, held_by_group};
use super::request::{Attempt, Request, Work};
use super::state::State;

impl State {
    pub(super) fn receive(&mut self, request: &mut Request) -> Attempt {
        let Work::Recv { group, multishot, bundle } = request.work else {
            unreachable!("invariant: a receive");
        };
        loop {
            let available = self.rings[request.ring].group(group).map_or(0, |group| group.available());
            if available == 0 {
                sometimes("a receive finds no provided buffer", true);
                return Attempt::Over(Errno::NoBufs.res(), 0);
            }
            let on_network = self.endpoints[request.endpoint].stream.is_some();
            // The network is asked for as much as is going to be stored, which of a bundle is the kernel's choice.
            let room = match (on_network, bundle) {
                (false, _) => 0,
                (true, false) => self.room(request.ring, group, 1),
                (true, true) => self.room(request.ring, group, 1 + random::below(u64::from(available)) as u32),
            };
            let unread = match self.endpoints[request.endpoint].unread(room) {
                Err(Errno::Again) => return Attempt::Armed,
                Err(errno) => return Attempt::Over(errno.res(), 0),
                Ok(0) => return Attempt::Over(0, 0),
                Ok(unread) => unread as u32,
            };
            let (res, flags) = if bundle {
                self.fill_bundle(request, group, available, unread, on_network)
            } else {
                self.fill_one(request, group, unread)
            };
            // Room in the receive queue is room on the wire.
            self.net_changed = true;
            if !multishot {
                return Attempt::Over(res, flags);
            }
            if !self.post_more(request.ring, request.user_data, res, flags) {
                return Attempt::Posted;
            }
            if self.endpoints[request.endpoint].rx.is_empty() {
                return Attempt::Armed;
            }
        }
    }

    /// How many bytes the next so many buffers of a group take.
    fn room(&mut self, ring: RingId, group: GroupId, bufs: u32) -> usize {
        let Some(group) = self.rings[ring].group(group) else { return 0 };
        (0..bufs).map(|nth| group.peek(nth).len as usize).sum()
    }

    fn fill_one(&mut self, request: &Request, id: GroupId, unread: u32) -> (i32, u32) {
        let (ring, holder) = (request.ring, held_by_group(id));
        let Some(group) = self.rings[ring].group(id) else { return (Errno::NoBufs.res(), 0) };
        let mut buf = group.peek(0);
        let count = buf.len.min(unread);
        let mut flags = Cqe::with_buffer(buf.bid);
        let at = buf.addr;
        if group.incremental && count < buf.len {
            buf.addr.offset += count;
            buf.len -= count;
            group.shorten(buf);
            flags |= Cqe::F_BUF_MORE;
            self.copy(request, at, count);
        } else {
            group.consume(1);
            self.copy(request, at, count);
            self.give_back(ring, buf.bid, holder);
        }
        (count as i32, flags)
    }

    /// Fills as many buffers as the kernel likes, or all that is `fetched` already, each but the last whole.
    fn fill_bundle(
        &mut self,
        request: &Request,
        id: GroupId,
        available: u32,
        unread: u32,
        fetched: bool,
    ) -> (i32, u32) {
        let ring = request.ring;
        let mut most = 0;
        let mut room = 0;
        while most < available && room < unread {
            let Some(group) = self.rings[ring].group(id) else { break };
            room += group.peek(most).len;
            most += 1;
        }
        let count = if fetched { most } else { 1 + random::below(u64::from(most)) as u32 };
        let mut total = 0;
        let mut flags = 0;
        for nth in 0..count {
            let Some(group) = self.rings[ring].group(id) else { break };
            let buf = group.peek(0);
            group.consume(1);
            let part = buf.len.min(unread - total);
            self.copy(request, buf.addr, part);
            self.give_back(ring, buf.bid, held_by_group(id));
            total += part;
            if nth == 0 {
                flags = Cqe::with_buffer(buf.bid);
            }
        }
        (total as i32, flags)
    }

    fn copy(&mut self, request: &Request, at: super::abi::Address, count: u32) {
        let octets = self.endpoints[request.endpoint].read(count as usize);
        if let Some(memory) = &mut self.rings[request.ring].memory {
            memory.write(at, &octets);
        }
    }

    pub(super) fn give_back(&self, ring: RingId, bid: u16, from: Owner) {
        if let Some(memory) = &self.rings[ring].memory {
            memory.give_back(bid, from);
        }
    }
}
