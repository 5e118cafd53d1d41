//! Runs a script on a library, and gives an observation for each step.
//!
//! The model and the real library implement one trait, so that this file alone decides what a step means, when it is
//! skipped, and how an outcome is written. After each step the library settles: it continues until it needs the
//! application. The observation is one line, its parts separated by ` | `:
//!
//! | part | meaning |
//! | --- | --- |
//! | `rv=N` | the return value of the step's function |
//! | `sends=T`, `frees=T` | the tag of the message that the application has held longest |
//! | `aN:done r=R msg=T` | aio N's callback ran: result R, and the message that was on the aio, `-` for none |
//! | `aN:refused r=R msg=T` | the operation did not begin, and there will be no callback |
//! | `skip` | the step made no sense: no such context, a busy aio, nothing held, a closed socket, a third connection at a time |
//!
//! The callbacks of one step are sorted by aio, since several workers run them in any order. The last observation,
//! after the word `end`, shows what the closing of the sockets completes.

use std::collections::VecDeque;

use super::script::{AIOS, CONNECTIONS, CONTEXTS, Millis, Operation, Side, Step};

/// A callback of an aio that has run.
#[derive(Debug)]
pub struct Completion<M> {
    /// The aio's number.
    pub aio: usize,
    /// Its result.
    pub result: u32,
    /// The message that the callback removed from the aio.
    pub message: Option<M>,
}

/// A req socket and a rep socket, contexts and aios by number.
pub trait Library {
    /// A message of the application's.
    type Message;

    /// Sets the resend time of the req socket.
    fn set_resend(&mut self, time: Millis);
    /// Sets the resend time of a req context, and returns the result code.
    fn set_resend_of(&mut self, ctx: usize, time: Millis) -> u32;
    /// Opens a context.
    fn open(&mut self, side: Side, ctx: usize) -> u32;
    /// Opens another connection between the two sockets.
    fn connect(&mut self) -> u32;
    /// Closes a context.
    fn close(&mut self, ctx: usize) -> u32;
    /// Closes a socket.
    fn close_socket(&mut self, side: Side) -> u32;
    /// Closes every pipe of a socket.
    fn close_pipes(&mut self, side: Side);
    /// Creates a message.
    fn message(&mut self, tag: u32) -> Self::Message;
    /// The tag of a message.
    fn tag(&mut self, message: &Self::Message) -> u32;
    /// Frees a message.
    fn free_message(&mut self, message: Self::Message);
    /// Sends, with or without a message.
    fn send(&mut self, operation: Operation, message: Option<Self::Message>);
    /// Receives.
    fn recv(&mut self, operation: Operation);
    /// Aborts the operation of an aio.
    fn abort(&mut self, aio: usize, error: u32);
    /// Cancels the operation of an aio.
    fn cancel(&mut self, aio: usize);
    /// Stops an aio.
    fn stop(&mut self, aio: usize);
    /// Waits for an aio.
    fn wait(&mut self, aio: usize);
    /// Frees an aio and puts a new one in its place.
    fn free(&mut self, aio: usize);
    /// True from the start of an aio's operation to the end of its callback.
    fn busy(&mut self, aio: usize) -> bool;
    /// Returns the result of an aio's last operation, and removes and returns the aio's message.
    fn outcome(&mut self, aio: usize) -> (u32, Option<Self::Message>);
    /// Returns when the library can do nothing more without the application.
    fn settle(&mut self);
    /// Sleeps until every timeout of a script has expired.
    fn sleep(&mut self);
    /// The callbacks that have run since the last call of this function.
    fn completions(&mut self) -> Vec<Completion<Self::Message>>;
}

/// Runs the script. `observe` receives each observation at once, so that a crash loses none; if it returns false, the
/// script ends. Closes the sockets, and returns the messages that the application still holds.
pub fn play<L: Library>(library: &mut L, script: &[Step], mut observe: impl FnMut(String) -> bool) -> Vec<L::Message> {
    let mut application = Application::new(library);
    for step in script {
        if !observe(application.step(*step)) {
            break;
        }
    }
    application.step(Step::End);
    application.held.into()
}

/// The state of the application.
struct Application<'a, L: Library> {
    library: &'a mut L,
    contexts: [Option<Side>; CONTEXTS],
    closed: [bool; 2],
    connections: usize,
    busy: [bool; AIOS],
    /// The aio on which this step started an operation.
    submitted: Option<usize>,
    /// Messages that were received, or whose send failed, the oldest first.
    held: VecDeque<L::Message>,
    tags: u32,
}

const SKIP: &str = "skip";

impl<'a, L: Library> Application<'a, L> {
    fn new(library: &'a mut L) -> Application<'a, L> {
        Application {
            library,
            contexts: [None; CONTEXTS],
            closed: [false; 2],
            connections: 0,
            busy: [false; AIOS],
            submitted: None,
            held: VecDeque::new(),
            tags: 0,
        }
    }

    fn step(&mut self, step: Step) -> String {
        let Some(seen) = self.act(step) else { return SKIP.to_owned() };
        self.library.settle();
        let seen = self.seen(seen);
        if step == Step::End { format!("end {seen}") } else { seen }
    }

    /// The observation of a step: its own parts, and the callbacks that have run.
    fn seen(&mut self, mut parts: Vec<String>) -> String {
        let mut completions = self.library.completions();
        completions.sort_by_key(|completion| completion.aio);
        for Completion { aio, result, message } in completions {
            self.busy[aio] = false;
            let message = self.hold(message);
            parts.push(format!("a{aio}:done r={result} msg={message}"));
        }
        if let Some(aio) = self.submitted.take()
            && self.busy[aio]
            && !self.library.busy(aio)
        {
            self.busy[aio] = false;
            let (result, message) = self.library.outcome(aio);
            let message = self.hold(message);
            parts.push(format!("a{aio}:refused r={result} msg={message}"));
        }
        parts.join(" | ")
    }

    fn hold(&mut self, message: Option<L::Message>) -> String {
        message.map_or("-".to_owned(), |message| {
            let tag = self.library.tag(&message);
            self.held.push_back(message);
            tag.to_string()
        })
    }

    /// Closes the open sockets, the req socket first.
    fn end(&mut self) {
        for side in [Side::Req, Side::Rep] {
            if !std::mem::replace(&mut self.closed[side as usize], true) {
                self.library.close_socket(side);
            }
        }
    }

    /// Performs a step; `None` if it makes no sense.
    fn act(&mut self, step: Step) -> Option<Vec<String>> {
        let returned = |rv: u32| vec![format!("rv={rv}")];
        match step {
            Step::Resend(time) => self.open_socket(Side::Req)?.set_resend(time),
            Step::ResendOf(ctx, time) => {
                let is_req = self.contexts[ctx] == Some(Side::Req);
                return is_req.then(|| returned(self.library.set_resend_of(ctx, time)));
            }
            Step::Open(side, ctx) => {
                if self.contexts[ctx].is_some() {
                    return None;
                }
                let rv = self.library.open(side, ctx);
                self.contexts[ctx] = (rv == 0).then_some(side);
                return Some(returned(rv));
            }
            Step::Connect => return self.connect().map(returned),
            Step::Close(ctx) => return self.contexts[ctx].map(|_| returned(self.library.close(ctx))),
            Step::CloseSocket(side) => {
                self.closed[side as usize] = true;
                return Some(returned(self.library.close_socket(side)));
            }
            Step::ClosePipes(side) => {
                self.connections = 0;
                self.library.close_pipes(side);
            }
            Step::Send(operation) => {
                self.idle(operation)?;
                self.tags += 1;
                let message = self.library.message(self.tags);
                self.library.send(operation, Some(message));
                self.submitted(operation.aio);
            }
            Step::SendHeld(operation) => {
                self.idle(operation)?;
                let message = self.held.pop_front()?;
                let tag = self.library.tag(&message);
                self.library.send(operation, Some(message));
                self.submitted(operation.aio);
                return Some(vec![format!("sends={tag}")]);
            }
            Step::SendNull(ctx, aio) => {
                let operation = Operation { ctx, aio, timeout: -1 };
                self.idle(operation)?.send(operation, None);
                self.submitted(aio);
            }
            Step::Recv(operation) => {
                self.idle(operation)?.recv(operation);
                self.submitted(operation.aio);
            }
            Step::Abort(aio, error) => self.library.abort(aio, error),
            Step::Cancel(aio) => self.library.cancel(aio),
            Step::Stop(aio) => self.library.stop(aio),
            Step::Free(aio) => self.library.free(aio),
            Step::Wait(aio) if self.busy[aio] => return None,
            Step::Wait(aio) => self.library.wait(aio),
            Step::Sleep => self.library.sleep(),
            Step::End => self.end(),
            Step::FreeMessage => {
                let message = self.held.pop_front()?;
                let tag = self.library.tag(&message);
                self.library.free_message(message);
                return Some(vec![format!("frees={tag}")]);
            }
        }
        Some(Vec::new())
    }

    /// Opens another connection between the two sockets, if the limit and the sockets allow it.
    fn connect(&mut self) -> Option<u32> {
        if self.connections == CONNECTIONS {
            return None;
        }
        self.open_socket(Side::Rep)?;
        let rv = self.open_socket(Side::Req)?.connect();
        self.connections += 1;
        Some(rv)
    }

    /// Marks the aio as busy. If it has refused the operation, this is found out later.
    fn submitted(&mut self, aio: usize) {
        self.busy[aio] = true;
        self.submitted = Some(aio);
    }

    /// The library, if the operation can be submitted: the context was opened and the aio is not busy.
    fn idle(&mut self, operation: Operation) -> Option<&mut L> {
        (self.contexts[operation.ctx].is_some() && !self.busy[operation.aio]).then_some(&mut *self.library)
    }

    /// The library, if that socket is open.
    fn open_socket(&mut self, side: Side) -> Option<&mut L> {
        (!self.closed[side as usize]).then_some(&mut *self.library)
    }
}
