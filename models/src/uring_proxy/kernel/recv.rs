//! Receives into provided buffers: single-shot and multishot, one buffer or a bundle, whole or incremental.
//!
//! A receive selects a buffer before it checks the socket. Three of the measured facts follow from this order: an empty
//! ring gives -ENOBUFS at once, with data or without; so does the next byte after the last buffer was filled exactly;
//! and a FIN is not reported while the ring is empty. A selected buffer that receives no data stays in its ring.
//!
//! A bundle first maps one buffer, or up to as many as an earlier bundle has mapped on this ring, whose vectors are
//! kept. If these are filled and more than one byte is left, it maps a second time, as many as the rest needs, and both
//! are one completion. A bundle that has mapped the last buffer, even if only when it was armed, ends with its next
//! completion, multishot or not.

use lastref::ledger::Owner;
use lastref::property::sometimes;
use lastref::random;

use super::abi::{Cqe, Errno, GroupId, RingId, held_by_group};
use super::request::{Attempt, Request, Work};
use super::state::State;

/// The buffers that a bundle has mapped at once.
struct Mapped {
    /// The mapped length of each buffer.
    lens: Vec<u32>,
    /// The last buffer that was considered has more room than the bytes need.
    is_partial: bool,
    /// No buffer is left after these.
    is_last: bool,
}

/// A completion that is about to be posted.
struct Filled {
    res: u32,
    flags: u32,
    /// The request is over, even if it is a multishot.
    ends: bool,
}

impl State {
    pub(super) fn receive(&mut self, request: &mut Request) -> Attempt {
        let Work::Recv { group, multishot, bundle, .. } = request.work else {
            lastref::bug!("a request without `Work::Recv` is handled as a receive");
        };
        // The number of bytes left after the previous iteration, if it is more than one.
        let mut left = None;
        loop {
            let available = self.rings[request.ring].group(group).map(|group| group.available());
            match available {
                // upstream: io_buffers_peek finds no list; io_buffer_select finds no buffer.
                None if bundle => return Attempt::Over(Errno::Noent.res(), 0),
                None | Some(0) => {
                    sometimes("a receive finds no provided buffer", true);
                    return Attempt::Over(Errno::NoBufs.res(), 0);
                }
                Some(_) => {}
            }
            let mapped = match bundle {
                true => self.map_bundle(request, group, left),
                false => self.map_one(request.ring, group),
            };
            // At most the mapped number of bytes is read from the network.
            let unread = match self.endpoints[request.endpoint].unread(mapped.lens.iter().sum::<u32>() as usize) {
                Err(Errno::Again) => return Attempt::Armed,
                Err(errno) => return Attempt::Over(errno.res(), 0),
                Ok(0) => return Attempt::Over(0, 0),
                Ok(unread) => unread as u32,
            };
            let Filled { res, flags, ends } =
                if bundle { self.fill_bundle(request, group, &mapped) } else { self.fill_one(request, group, unread) };
            let res = res as i32;
            // The read has freed room in the receive queue, so the peer may send more.
            self.net_changed = true;
            if !multishot || ends {
                return Attempt::Over(res, flags);
            }
            if !self.post_more(request.ring, request.user_data, res, flags) {
                return Attempt::Posted;
            }
            request.set_saw_last(false);
            if self.endpoints[request.endpoint].look() {
                self.wake_receives(request.endpoint);
            }
            let end = &self.endpoints[request.endpoint];
            if !end.readable() {
                return Attempt::Armed;
            }
            left = Some(end.inq() as u32).filter(|left| *left > 1);
        }
    }

    fn map_one(&mut self, ring: RingId, group: GroupId) -> Mapped {
        let len = self.rings[ring].group(group).map_or(0, |group| group.peek(0).len);
        Mapped { lens: vec![len], is_partial: false, is_last: false }
    }

    /// Like [`State::map`], and remembers `is_last`. upstream: REQ_F_BL_EMPTY, which stays set if nothing was received.
    fn map_bundle(&mut self, request: &mut Request, group: GroupId, bytes: Option<u32>) -> Mapped {
        let mut mapped = self.map(request.ring, group, bytes);
        mapped.is_last |= matches!(request.work, Work::Recv { saw_last: true, .. });
        request.set_saw_last(mapped.is_last);
        mapped
    }

    /// upstream: io_ring_buffers_peek. Maps as many buffers as `bytes` need; if that number is unknown, one, or up to
    /// as many as the kept vectors have room for.
    fn map(&mut self, ring: RingId, group: GroupId, bytes: Option<u32>) -> Mapped {
        let most = match bytes {
            None => 1 + random::below(u64::from(self.rings[ring].mapped_max)) as u32,
            Some(_) => u32::MAX,
        };
        let Some(group) = self.rings[ring].group(group) else {
            lastref::bug!("a buffer was taken from a group that is gone")
        };
        let available = group.available();
        let mut mapped = Mapped { lens: Vec::new(), is_partial: false, is_last: false };
        let mut left = bytes.unwrap_or(u32::MAX);
        while left > 0 && (mapped.lens.len() as u32) < most.min(available) {
            let len = group.peek(mapped.lens.len() as u32).len;
            if len > left {
                mapped.is_partial = true;
                if !mapped.lens.is_empty() {
                    break;
                }
            }
            mapped.lens.push(len.min(left));
            left -= len.min(left);
        }
        let count = mapped.lens.len() as u32;
        // If the buffers hold exactly the bytes, upstream does not notice that none is left.
        mapped.is_last = count == available && left > 0;
        let ring = &mut self.rings[ring];
        ring.mapped_max = ring.mapped_max.max(count);
        mapped
    }

    fn fill_one(&mut self, request: &Request, id: GroupId, unread: u32) -> Filled {
        let (ring, holder) = (request.ring, held_by_group(id));
        let Some(group) = self.rings[ring].group(id) else {
            lastref::bug!("a buffer was taken from a group that is gone")
        };
        let mut buf = group.peek(0);
        let res = buf.len.min(unread);
        let mut flags = Cqe::with_buffer(buf.bid);
        let at = buf.addr;
        if group.incremental && res < buf.len {
            buf.addr.offset += res;
            buf.len -= res;
            group.shorten(buf);
            flags |= Cqe::F_BUF_MORE;
            self.copy(request, at, res);
        } else {
            group.consume(1);
            self.copy(request, at, res);
            self.give_back(ring, buf.bid, holder);
        }
        Filled { res, flags, ends: false }
    }

    /// Fills the mapped buffers, and maps and fills once more if upstream's io_recv_finish would retry.
    fn fill_bundle(&mut self, request: &Request, id: GroupId, mapped: &Mapped) -> Filled {
        let (mut res, flags) = self.fill(request, id, &mapped.lens);
        let is_full = res == mapped.lens.iter().sum::<u32>();
        let room = match self.rings[request.ring].group(id) {
            Some(group) if is_full && !mapped.is_last && !mapped.is_partial => {
                (0..group.available()).map(|nth| group.peek(nth).len as usize).sum()
            }
            _ => 0,
        };
        let left = if room > 0 { self.endpoints[request.endpoint].left(room) as u32 } else { 0 };
        if left <= 1 {
            return Filled { res, flags, ends: mapped.is_last };
        }
        let more = self.map(request.ring, id, Some(left));
        sometimes("a receive bundle maps buffers twice", true);
        res += self.fill(request, id, &more.lens).0;
        Filled { res, flags, ends: more.is_last }
    }

    /// Fills these lengths of the buffers at the head of a group, as far as there are bytes. Returns the count, and the
    /// flags that name the first buffer.
    fn fill(&mut self, request: &Request, id: GroupId, lens: &[u32]) -> (u32, u32) {
        let ring = request.ring;
        let (mut res, mut flags) = (0, 0);
        for len in lens {
            let unread = self.endpoints[request.endpoint].rx.len() as u32;
            let Some(group) = self.rings[ring].group(id).filter(|_| unread > 0) else { break };
            let buf = group.peek(0);
            group.consume(1);
            let part = unread.min(*len);
            self.copy(request, buf.addr, part);
            self.give_back(ring, buf.bid, held_by_group(id));
            if res == 0 {
                flags = Cqe::with_buffer(buf.bid);
            }
            res += part;
        }
        (res, flags)
    }

    fn copy(&mut self, request: &Request, at: super::abi::Address, count: u32) {
        let octets = self.endpoints[request.endpoint].read(count as usize);
        if let Some(memory) = &mut self.rings[request.ring].memory {
            memory.write(at, &octets);
        }
    }

    #[track_caller]
    pub(super) fn give_back(&self, ring: RingId, bid: u16, from: Owner) {
        if let Some(memory) = &self.rings[ring].memory {
            memory.give_back(bid, from);
        }
    }
}
