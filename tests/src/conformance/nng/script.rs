//! A script for NNG's request/reply contexts: the steps of an application with one thread.
//!
//! The text form is that of the recorded file: one step a line, words and numbers. A script addresses contexts and aios
//! by small numbers. A step that makes no sense when it is reached is skipped (`driver`), so every list of steps is a
//! script, and remains one when steps are removed.

use std::fmt;
use std::str::FromStr;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::strategy::BoxedStrategy;
use serde::{Deserialize, Serialize};

/// Contexts that a script can name, over both sockets.
pub const CONTEXTS: usize = 4;
/// Aios that a script can name.
pub const AIOS: usize = 4;

/// Connections that a script can have at a time.
pub const CONNECTIONS: usize = 2;

/// `nng_duration`: -1 is infinite, 0 does not wait.
pub type Millis = i32;

/// One of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Side {
    /// `nng_req0_open`, which dials.
    Req,
    /// `nng_rep0_open`, which listens.
    Rep,
}

/// The arguments of an operation on a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operation {
    /// The context's number.
    pub ctx: usize,
    /// The aio's number.
    pub aio: usize,
    /// `nng_aio_set_timeout`.
    pub timeout: Millis,
}

/// One step of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// `NNG_OPT_REQ_RESENDTIME` of the req socket, for the contexts opened after it.
    Resend(Millis),
    /// `NNG_OPT_REQ_RESENDTIME` of a context.
    ResendOf(usize, Millis),
    /// `nng_ctx_open`.
    Open(Side, usize),
    /// `nng_dial`: one more connection between the two sockets.
    Connect,
    /// `nng_ctx_close`.
    Close(usize),
    /// `nng_close`.
    CloseSocket(Side),
    /// `nng_pipe_close` on each pipe of a socket.
    ClosePipes(Side),
    /// `nng_ctx_send` of a new message.
    Send(Operation),
    /// `nng_ctx_send` of the message that the application has held longest.
    SendHeld(Operation),
    /// `nng_ctx_send` with no message on the aio.
    SendNull(usize, usize),
    /// `nng_ctx_recv`.
    Recv(Operation),
    /// `nng_aio_abort` with a code.
    Abort(usize, u32),
    /// `nng_aio_cancel`.
    Cancel(usize),
    /// `nng_aio_stop`.
    Stop(usize),
    /// `nng_aio_free`; another aio takes its place.
    Free(usize),
    /// `nng_aio_wait`, on an aio that is not busy.
    Wait(usize),
    /// The application sleeps until every timeout has expired.
    Sleep,
    /// `nng_msg_free` of the message that the application has held longest.
    FreeMessage,
    /// `nng_close` on each socket that is open: the last step, whose text is empty.
    End,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Req => "req",
            Side::Rep => "rep",
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.ctx, self.aio, self.timeout)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Resend(ms) => write!(f, "resend {ms}"),
            Step::ResendOf(ctx, ms) => write!(f, "resendof {ctx} {ms}"),
            Step::Open(side, ctx) => write!(f, "open {side} {ctx}"),
            Step::Connect => f.write_str("connect"),
            Step::Close(ctx) => write!(f, "close {ctx}"),
            Step::CloseSocket(side) => write!(f, "closesock {side}"),
            Step::ClosePipes(side) => write!(f, "closepipes {side}"),
            Step::Send(operation) => write!(f, "send {operation}"),
            Step::SendHeld(operation) => write!(f, "sendheld {operation}"),
            Step::SendNull(ctx, aio) => write!(f, "sendnull {ctx} {aio}"),
            Step::Recv(operation) => write!(f, "recv {operation}"),
            Step::Abort(aio, error) => write!(f, "abort {aio} {error}"),
            Step::Cancel(aio) => write!(f, "cancel {aio}"),
            Step::Stop(aio) => write!(f, "stop {aio}"),
            Step::Free(aio) => write!(f, "free {aio}"),
            Step::Wait(aio) => write!(f, "wait {aio}"),
            Step::Sleep => f.write_str("sleep"),
            Step::FreeMessage => f.write_str("freemsg"),
            Step::End => Ok(()),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Step, String> {
        parse(line).ok_or_else(|| format!("`{line}` is not a step of an NNG script"))
    }
}

impl super::super::Step for Step {
    /// Simplifies the way in which an operation ends, the choice of the message, numbers and times.
    fn simpler(&self) -> Vec<Step> {
        let of = |make: fn(Operation) -> Step, operation: Operation| {
            let Operation { ctx, aio, timeout } = operation;
            let less = |number: usize| (0..number).rev();
            let ctxs = less(ctx).map(|ctx| Operation { ctx, ..operation });
            let aios = less(aio).map(|aio| Operation { aio, ..operation });
            let forever = (timeout != -1).then_some(Operation { timeout: -1, ..operation });
            ctxs.chain(aios).chain(forever).map(make).collect()
        };
        match *self {
            Step::Resend(time) if time != -1 => vec![Step::Resend(-1)],
            Step::ResendOf(ctx, time) if time != -1 => vec![Step::ResendOf(ctx, -1)],
            Step::Send(operation) => of(Step::Send, operation),
            Step::SendHeld(operation) => vec![Step::Send(operation)],
            Step::CloseSocket(side) => vec![Step::ClosePipes(side)],
            Step::Recv(operation) => of(Step::Recv, operation),
            Step::Abort(aio, _) | Step::Stop(aio) | Step::Free(aio) => vec![Step::Cancel(aio)],
            Step::Cancel(aio) => (0..aio).rev().map(Step::Cancel).collect(),
            Step::Open(side, ctx) => (0..ctx).rev().map(|ctx| Step::Open(side, ctx)).collect(),
            _ => Vec::new(),
        }
    }
}

fn parse(line: &str) -> Option<Step> {
    if line.is_empty() {
        return Some(Step::End);
    }
    let words: Vec<&str> = line.split(' ').collect();
    let (name, arguments) = words.split_first()?;
    let ctx = |at: usize| arguments.get(at)?.parse().ok().filter(|ctx| *ctx < CONTEXTS);
    let aio = |at: usize| arguments.get(at)?.parse().ok().filter(|aio| *aio < AIOS);
    let millis = |at: usize| arguments.get(at)?.parse().ok();
    let side = |at: usize| match *arguments.get(at)? {
        "req" => Some(Side::Req),
        "rep" => Some(Side::Rep),
        _ => None,
    };
    let operation = || Some(Operation { ctx: ctx(0)?, aio: aio(1)?, timeout: millis(2)? });
    let (step, expected) = match *name {
        "resend" => (Step::Resend(millis(0)?), 1),
        "resendof" => (Step::ResendOf(ctx(0)?, millis(1)?), 2),
        "open" => (Step::Open(side(0)?, ctx(1)?), 2),
        "connect" => (Step::Connect, 0),
        "close" => (Step::Close(ctx(0)?), 1),
        "closesock" => (Step::CloseSocket(side(0)?), 1),
        "closepipes" => (Step::ClosePipes(side(0)?), 1),
        "send" => (Step::Send(operation()?), 3),
        "sendheld" => (Step::SendHeld(operation()?), 3),
        "sendnull" => (Step::SendNull(ctx(0)?, aio(1)?), 2),
        "recv" => (Step::Recv(operation()?), 3),
        "abort" => (Step::Abort(aio(0)?, arguments.get(1)?.parse().ok()?), 2),
        "cancel" => (Step::Cancel(aio(0)?), 1),
        "stop" => (Step::Stop(aio(0)?), 1),
        "free" => (Step::Free(aio(0)?), 1),
        "wait" => (Step::Wait(aio(0)?), 1),
        "sleep" => (Step::Sleep, 0),
        "freemsg" => (Step::FreeMessage, 0),
        _ => return None,
    };
    (arguments.len() == expected).then_some(step)
}

/// Generates scripts that usually make progress: both sockets have a context, most scripts connect them, and random
/// steps follow. They shrink towards fewer steps.
pub fn scripts() -> BoxedStrategy<Vec<Step>> {
    let resend = prop_oneof![2 => Just(Step::Resend(-1)), 1 => Just(Step::Resend(60_000))];
    let opened = vec![Step::Connect, Step::Open(Side::Req, 0), Step::Open(Side::Rep, 1)];
    // Always in this order, so that a shrunk script is written like the one in the list of deviations.
    let opening = prop_oneof![4 => Just(opened.clone()), 1 => Just(opened[1..].to_vec())];
    (resend, opening, vec(step(), 1..=24))
        .prop_map(|(resend, opening, steps)| [vec![resend], opening, steps, vec![Step::End]].concat())
        .boxed()
}

fn step() -> impl Strategy<Value = Step> {
    let timeout = || prop_oneof![3 => Just(-1), 1 => Just(0), 1 => Just(600)];
    let operation = move || {
        // Context 0 is a req context and 1 a rep context in nearly every script.
        let ctx = prop_oneof![4 => 0..2_usize, 1 => 2..CONTEXTS];
        (ctx, 0..AIOS, timeout()).prop_map(|(ctx, aio, timeout)| Operation { ctx, aio, timeout })
    };
    let side = || prop_oneof![Just(Side::Req), Just(Side::Rep)];
    let resend = || prop_oneof![Just(-1), Just(60_000)];
    let error = prop_oneof![Just(5), Just(7), Just(11), Just(19)];
    prop_oneof![
        20 => operation().prop_map(Step::Send),
        20 => operation().prop_map(Step::Recv),
        9 => operation().prop_map(Step::SendHeld),
        1 => (0..CONTEXTS, 0..AIOS).prop_map(|(ctx, aio)| Step::SendNull(ctx, aio)),
        5 => (side(), 0..CONTEXTS).prop_map(|(side, ctx)| Step::Open(side, ctx)),
        2 => Just(Step::Connect),
        3 => side().prop_map(Step::ClosePipes),
        3 => (0..CONTEXTS).prop_map(Step::Close),
        2 => side().prop_map(Step::CloseSocket),
        6 => (0..AIOS).prop_map(Step::Cancel),
        4 => (0..AIOS, error).prop_map(|(aio, error)| Step::Abort(aio, error)),
        2 => (0..AIOS).prop_map(Step::Stop),
        2 => (0..AIOS).prop_map(Step::Free),
        2 => (0..AIOS).prop_map(Step::Wait),
        2 => Just(Step::Sleep),
        2 => Just(Step::FreeMessage),
        1 => resend().prop_map(Step::Resend),
        2 => (0..CONTEXTS, resend()).prop_map(|(ctx, ms)| Step::ResendOf(ctx, ms)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_a_step_is_an_error_that_shows_it() {
        for line in [" ", "send 0 0", "send 0 0 -1 7", "open pub 0", "close 4", "recv 0 4 -1", "sing"] {
            let error = line.parse::<Step>().expect_err("not a step");
            assert_eq!(error, format!("`{line}` is not a step of an NNG script"));
        }
    }
}
