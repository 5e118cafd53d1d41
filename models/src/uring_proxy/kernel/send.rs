//! Sends: from vectors or from a group of provided buffers, copied or zero copy.
//!
//! With `MSG_WAITALL` a partial send stays armed; it is short only if the connection breaks or the send is cancelled. A
//! send takes buffers of a group when it is issued, before it checks the socket, and uses them up even if it fails. A
//! bundle takes all buffers of its group, and has one completion with the id of the first. A zero-copy send completes
//! with `F_MORE` when its bytes are on the wire or it has failed, and once more when none of them is read from the
//! sender's memory any longer.

use super::abi::{Address, Cqe, Errno, Iov, RingId, held_by_group, held_by_send};
use super::request::{Attempt, Request, Send, Work};
use super::socket::{EndpointId, Wire};
use super::state::State;

impl State {
    pub(super) fn send(&mut self, request: &mut Request) -> Attempt {
        let Request { ring, fd, endpoint, work: Work::Send(send), .. } = request else {
            lastref::bug!("a request without `Work::Send` is handled as a send");
        };
        if let Some((id, bundle)) = send.select.take() {
            let Some(group) = self.rings[*ring].group(id) else { return Attempt::Over(Errno::Noent.res(), 0) };
            let available = group.available();
            if available == 0 {
                return Attempt::Over(Errno::NoBufs.res(), 0);
            }
            let bufs: Vec<_> = (0..if bundle { available } else { 1 }).map(|nth| group.peek(nth)).collect();
            group.consume(bufs.len() as u32);
            if let Some(memory) = &self.rings[*ring].memory {
                bufs.iter().for_each(|buf| memory.pass(buf.bid, held_by_group(id), held_by_send(*fd)));
            }
            send.is_selected = true;
            send.held = bufs.iter().map(|buf| buf.bid).collect();
            send.iovs = bufs.iter().map(|buf| Iov { base: buf.addr, len: buf.len }).collect();
        }
        loop {
            let left = send.total() - send.done;
            if left == 0 {
                break;
            }
            match self.hand_over(*ring, *endpoint, send, left) {
                Err(Errno::Again) if send.waitall || send.done == 0 => return Attempt::Armed,
                Err(Errno::Again) => break,
                Err(errno) if send.done == 0 => return self.send_over(request, errno.res()),
                Err(_) => break,
                Ok(count) => send.done += count,
            }
        }
        let done = send.done as i32;
        self.send_over(request, done)
    }

    /// Passes on up to `left` bytes. Returns the number that is taken.
    fn hand_over(&mut self, ring: RingId, end: EndpointId, send: &Send, left: u32) -> Result<u32, Errno> {
        let room = self.endpoints[end].room(self.window)?;
        if self.endpoints[end].stream.is_some() && send.notif.is_none() {
            let bytes = self.rings[ring].bytes(&send.iovs, send.done, left);
            return self.endpoints[end].write(&bytes).map(|count| count as u32);
        }
        let count = left.min(room as u32);
        let wires = self.rings[ring].wire(&send.iovs, send.done, count, (ring, send.notif));
        self.endpoints[end].out.extend(wires);
        if let Some(notif) = self.notifs.iter_mut().find(|notif| send.notif == Some(notif.id)) {
            notif.pinned += count;
        }
        Ok(count)
    }

    /// Ends a send with this result, also a cancelled one.
    pub(super) fn send_over(&mut self, request: &mut Request, res: i32) -> Attempt {
        let Request { ring, fd, work: Work::Send(send), .. } = request else {
            lastref::bug!("a request without `Work::Send` is handled as a send");
        };
        let mut flags = match send.held.first() {
            Some(first) if send.is_selected => Cqe::with_buffer(*first),
            _ => 0,
        };
        match send.notif {
            Some(id) => {
                flags |= Cqe::F_MORE;
                if let Some(notif) = self.notifs.iter_mut().find(|notif| notif.id == id) {
                    notif.sent = true;
                }
            }
            None => send.held.iter().for_each(|bid| self.give_back(*ring, *bid, held_by_send(*fd))),
        }
        Attempt::Over(res, flags)
    }
}

impl super::state::Ring {
    /// `count` bytes of the vectors, from `skip` on.
    fn bytes(&self, iovs: &[Iov], mut skip: u32, mut count: u32) -> Vec<u8> {
        let Some(memory) = &self.memory else { return Vec::new() };
        let mut bytes = Vec::with_capacity(count as usize);
        for iov in iovs {
            let from = skip.min(iov.len);
            let part = Iov { len: iov.len.min(from + count), ..*iov };
            (skip, count) = (skip - from, count - (part.len - from));
            bytes.extend(memory.read(&part, from as usize).map(|octet| octet.byte));
        }
        bytes
    }

    /// The wire items for `count` bytes of the vectors, from `skip` on.
    fn wire(&self, iovs: &[Iov], skip: u32, count: u32, (ring, notif): (usize, Option<u64>)) -> Vec<Wire> {
        let places = iovs.iter().flat_map(|iov| {
            let Address { buffer, offset } = iov.base;
            (0..iov.len).map(move |nth| Address { buffer, offset: offset + nth })
        });
        let places = places.skip(skip as usize).take(count as usize);
        let wires = places.filter_map(|at| match (notif, &self.memory) {
            (Some(notif), _) => Some(Wire::Pinned { ring, at, notif }),
            (None, Some(memory)) => memory.read(&Iov { base: at, len: 1 }, 0).next().map(Wire::Octet),
            (None, None) => None,
        });
        wires.collect()
    }
}
