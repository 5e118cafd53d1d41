//! The application's handler: it executes the steps of the request's plan, and echoes the body that it reads.
//!
//! It follows net/http's contract: it may or may not close the body, and it alone uses the body until it returns. Some
//! steps break that contract, as reported applications do: a goroutine that outlives the handler closes or reads the
//! body.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag, deliver};
use lastref::property::{always, sometimes};
use lastref::sync::{Condvar, Mutex};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, sleep};

use super::body::Body;
use super::body_reader::Read;
use super::conn::Conn;
use super::engine::Engine;
use super::error::GoPanic;
use super::octet::{Octet, Part};
use super::plan::{PlannedRequest, Step};
use super::request::RequestRef;
use super::response::ResponseRef;

/// The number of octets that each Read of `Step::ReadAll` requests: the buffer size of a copy loop.
const COPY_BUFFER: usize = 2;

/// The initial sleep of a goroutine that outlives its handler. The schedule may let the time pass at once.
const LATE: Duration = Duration::from_millis(1);

/// One call of the handler.
struct Call<'a> {
    conn: &'a Arc<Conn>,
    request: &'a RequestRef,
    response: &'a ResponseRef,
    body: Arc<Body>,
    tag: Tag,
    by: Owner,
    /// Octets read so far.
    read: u32,
    /// Whether the body was closed, taken over or left to a goroutine, so a Read may return less than the whole body.
    disturbed: bool,
    elsewhere: Vec<JoinHandle<()>>,
    returning: Arc<Returning>,
}

/// Signals the end of the handler's steps to goroutines that outlive it.
struct Returning {
    now: Mutex<bool>,
    told: Condvar,
}

/// `ServeHTTP`.
///
/// # Errors
///
/// A panic of the handler, or of a call that it made.
pub(super) fn serve_http(conn: &Arc<Conn>, response: &ResponseRef, request: &RequestRef) -> Result<(), GoPanic> {
    let (engine, by) = (&conn.engine, conn.owner());
    let Some(tag) = request.fields(by).tag else { return Ok(()) };
    let Some(ask) = ask(engine, tag) else { return Ok(()) };
    let mut call = Call {
        conn,
        request,
        response,
        body: request.body(engine, by),
        tag,
        by,
        read: 0,
        disturbed: false,
        elsewhere: Vec::new(),
        returning: Arc::new(Returning { now: Mutex::named("handler", false), told: Condvar::named("handler") }),
    };
    let served = ask.steps.iter().try_for_each(|step| call.step(*step, ask));
    for goroutine in std::mem::take(&mut call.elsewhere) {
        goroutine.join();
    }
    *call.returning.now.lock() = true;
    call.returning.told.notify_all();
    served
}

/// The planned request with this tag; `None` if the plan has none.
fn ask(engine: &Engine, tag: Tag) -> Option<&PlannedRequest> {
    let client = engine.plan.client_at(tag.peer)?;
    client.asks.get(usize::try_from(tag.request).ok()?)
}

impl Call<'_> {
    fn step(&mut self, step: Step, ask: &PlannedRequest) -> Result<(), GoPanic> {
        match step {
            Step::Read(need) => self.read(need as usize).map(|_| ()),
            Step::ReadAll => self.read_all(ask),
            Step::Close => {
                self.disturbed = true;
                self.body.close(&self.conn.engine, self.by)
            }
            Step::CloseElsewhere => {
                self.disturbed = true;
                let (body, by) = (Arc::clone(&self.body), self.by);
                let close = move |engine: &Arc<Engine>| {
                    // A panic ends only the goroutine; the handler does not notice it.
                    let _ = body.close(engine, by);
                };
                self.elsewhere.push(self.conn.engine.spawn("elsewhere".to_owned(), close));
                Ok(())
            }
            Step::CloseLate => {
                self.leave_behind(|body, engine, by| {
                    let _ = body.close(engine, by);
                });
                Ok(())
            }
            Step::ReadLate => {
                let tag = self.tag;
                self.leave_behind(move |body, engine, by| {
                    if let Ok(Read::Data(octets)) = body.read(engine, COPY_BUFFER, by) {
                        let seen = octets.iter().filter(|_| engine.plan.audit.octets());
                        seen.for_each(|octet| deliver(octet.tag, tag));
                    }
                });
                Ok(())
            }
            Step::TakeOver => {
                self.disturbed = true;
                for buffer in self.body.take_over(&self.conn.engine, self.by) {
                    let octets = buffer.read(0, buffer.len(), self.by);
                    self.check(&octets);
                    self.conn.engine.body_allocator.free(&buffer, self.by);
                }
                Ok(())
            }
            Step::Wrap => {
                self.request.set(self.by, |fields| fields.wrapped = true);
                Ok(())
            }
            Step::ContentLength => {
                self.response.set_content_length(ask.length(), self.by);
                Ok(())
            }
            Step::Panic => Err(GoPanic::Handler),
        }
    }

    /// Reads once and writes the octets to the response. Returns false at the end of the body.
    fn read(&mut self, need: usize) -> Result<bool, GoPanic> {
        let Read::Data(octets) = self.body.read(&self.conn.engine, need, self.by)? else { return Ok(false) };
        self.check(&octets);
        // An error means that the connection is closed by now; the handler ignores it.
        let _ = self.response.write(self.conn, &octets, self.by);
        Ok(true)
    }

    fn read_all(&mut self, ask: &PlannedRequest) -> Result<(), GoPanic> {
        while self.read(COPY_BUFFER)? {}
        let whole = self.read == ask.length();
        sometimes("a handler reads the whole body", whole);
        if self.conn.engine.plan.audit.objects() && !self.disturbed {
            always("a handler that reads to the end has read the whole body", whole);
        }
        Ok(())
    }

    /// Checks that each octet belongs to this request and is the next one of its body.
    fn check(&mut self, octets: &[Octet]) {
        let audit = self.conn.engine.plan.audit;
        for octet in octets {
            if audit.octets() {
                deliver(octet.tag, self.tag);
            }
            if audit.order() {
                always("a body is read in order", octet.part == Part::Body(self.read));
            }
            self.read += 1;
        }
    }

    /// Starts a goroutine that calls `act` after the handler's last step, possibly long after.
    fn leave_behind(&self, act: impl FnOnce(&Body, &Engine, Owner) + Send + 'static) {
        let (body, returning) = (Arc::clone(&self.body), Arc::clone(&self.returning));
        let by = Owner::new("goroutine of conn", self.conn.id);
        self.conn.engine.goroutine(move |engine| {
            drop(returning.told.wait_while(returning.now.lock(), |now| !*now));
            sleep(LATE);
            act(&body, engine, by);
        });
    }
}
