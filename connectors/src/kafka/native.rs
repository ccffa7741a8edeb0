//! librdkafka's queue of one partition, read many records at a time, and what else the safe crate does not offer.
//!
//! The invariants that make the `unsafe` below sound:
//!
//! 1. **A queue does not outlive its client.** [`PartitionQueue`] holds the consumer; fields are dropped after `drop`
//!    has given the queue back.
//! 2. **A message is freed once, on every path.** [`Batch`] owns what `rd_kafka_consume_batch_queue` gave and frees it in
//!    `drop`, also when a handler panics. It borrows the queue, so that no message outlives the client.
//! 3. **A view does not outlive its batch.** [`Message`] and all slices from it borrow the batch; librdkafka neither
//!    moves nor changes a message's bytes until it is freed.
//! 4. **The bell outlives its ringing.** The queue holds the [`Waker`] whose address librdkafka has; the callback is taken
//!    away under the queue's own lock, under which it is also called, before the queue lets go of the bell.
//!
//! A partition's queue is cut off from the consumer's before the partition is assigned: librdkafka keeps its hands off a
//! queue that its user has forwarded, so that no record ever takes the other way.

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafka, RDKafkaMessage, RDKafkaQueue, RDKafkaRespErr};
use rdkafka_sys as sys;

use super::context::Context;
use super::waker::Waker;
use crate::stream::{Partition, Stamp};

/// The most messages of one batch.
pub(super) const BATCH: usize = 1024;

/// What reads the records and serves the events.
pub(super) type Client = BaseConsumer<Context>;

/// The records of one partition that librdkafka has fetched.
pub(super) struct PartitionQueue {
    queue: NonNull<RDKafkaQueue>,
    _waker: Arc<Waker>,
    _client: Arc<Client>,
}

// SAFETY: librdkafka's queues may be used from any thread, and this handle has no thread-local state.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// The queue of a partition that is not assigned yet; `waker` rings when it was empty and is not any more. `None` for a
    /// topic's name that cannot be one.
    pub(super) fn open(client: &Arc<Client>, partition: &Partition, waker: &Arc<Waker>) -> Option<Self> {
        let topic = CString::new(partition.topic.as_str()).ok()?;
        // SAFETY: the client is alive (invariant 1), the name ends with a zero, and the returned handle is ours.
        let queue = NonNull::new(unsafe {
            sys::rd_kafka_queue_get_partition(client.client().native_ptr(), topic.as_ptr(), partition.number)
        })?;
        // SAFETY: the handle is valid; the opaque pointer is the waker's, which `Self` holds (invariant 4).
        unsafe {
            sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut());
            let opaque = Arc::as_ptr(waker).cast_mut().cast::<c_void>();
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(ring), opaque);
        }
        Some(Self { queue, _waker: Arc::clone(waker), _client: Arc::clone(client) })
    }

    /// What is there now, up to [`BATCH`] messages, without waiting.
    pub(super) fn take(&mut self) -> Batch<'_> {
        let mut messages: Vec<*mut RDKafkaMessage> = Vec::with_capacity(BATCH);
        // SAFETY: the buffer has room for `BATCH` pointers, of which the call writes the number that it returns; -1 is
        // an error of the queue, and nothing written. The queue is read by one thread at a time: `&mut self`.
        unsafe {
            let taken =
                sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, messages.as_mut_ptr(), BATCH);
            messages.set_len(usize::try_from(taken).unwrap_or(0));
        }
        Batch { messages, _queue: PhantomData }
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and given back once; after the first call nobody rings (invariant 4).
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Called by librdkafka's threads, under the queue's lock: does nothing but ring.
unsafe extern "C" fn ring(_: *mut RDKafka, opaque: *mut c_void) {
    // SAFETY: the pointer is that of a `Waker` which is alive (invariant 4).
    unsafe { &*opaque.cast::<Waker>() }.ring();
}

/// Messages of one partition, in order.
pub(super) struct Batch<'q> {
    messages: Vec<*mut RDKafkaMessage>,
    _queue: PhantomData<&'q mut PartitionQueue>,
}

impl Batch<'_> {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages, in order.
    pub(super) fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        self.messages.iter().map(|&raw| Message { raw, _batch: PhantomData })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for &message in &self.messages {
            // SAFETY: the batch owns each of its messages, and is going (invariant 2).
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

/// One message: a record, or what there is to say about its partition.
#[derive(Clone, Copy)]
pub(super) struct Message<'b> {
    raw: *const RDKafkaMessage,
    _batch: PhantomData<&'b RDKafkaMessage>,
}

impl<'b> Message<'b> {
    /// Why it is no record; `None` if it is one.
    pub(super) fn error(self) -> Option<RDKafkaErrorCode> {
        // SAFETY: the message is alive (invariant 3). Read as a number: a broker may know codes that the enum does not.
        let code = unsafe { (&raw const (*self.raw).err).cast::<i32>().read() };
        match RDKafkaRespErr::try_from(code) {
            Ok(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR) => None,
            Ok(code) => Some(code.into()),
            Err(_) => Some(RDKafkaErrorCode::Unknown),
        }
    }

    /// What librdkafka says about the error.
    pub(super) fn reason(self) -> String {
        // SAFETY: the message is alive; the string is its own, or a constant, and ends with a zero.
        let text = unsafe { sys::rd_kafka_message_errstr(self.raw) };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().trim_end_matches('.').to_owned()
    }

    /// Its offset; of an error that at which it came.
    pub(super) fn offset(self) -> i64 {
        // SAFETY: the message is alive (invariant 3).
        unsafe { (*self.raw).offset }
    }

    /// Its key.
    pub(super) fn key(self) -> Option<&'b [u8]> {
        // SAFETY: the message is alive, and so are its bytes (invariant 3).
        unsafe { bytes((*self.raw).key, (*self.raw).key_len) }
    }

    /// Its value.
    pub(super) fn payload(self) -> Option<&'b [u8]> {
        // SAFETY: the message is alive, and so are its bytes (invariant 3).
        unsafe { bytes((*self.raw).payload, (*self.raw).len) }
    }

    /// Its timestamp, by the topic's kind.
    pub(super) fn stamp(self) -> Option<Stamp> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive (invariant 3).
        let millis = unsafe { sys::rd_kafka_message_timestamp(self.raw, &raw mut kind) };
        let micros = millis.saturating_mul(1000);
        match kind {
            _ if millis == -1 => None,
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => Some(Stamp::Created(micros)),
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                Some(Stamp::Appended(micros))
            }
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => None,
        }
    }

    /// Adds its headers. One whose name is not UTF-8 is left out; one without a value is empty.
    pub(super) fn headers(self, all: &mut Vec<(&'b str, &'b [u8])>) {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive; librdkafka parses the headers once and keeps them with it.
        let found = unsafe { sys::rd_kafka_message_headers(self.raw, &raw mut headers) };
        if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        for at in 0.. {
            let (mut name, mut value, mut length) = (ptr::null::<c_char>(), ptr::null::<c_void>(), 0);
            // SAFETY: the headers live as long as the message; out of range is an error and writes nothing.
            let found = unsafe {
                sys::rd_kafka_header_get_all(headers, at, &raw mut name, &raw mut value, &raw mut length)
            };
            if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            // SAFETY: a header's name ends with a zero, and name and value live as long as the message.
            let (name, value) = unsafe { (CStr::from_ptr::<'b>(name), bytes(value, length)) };
            if let Ok(name) = name.to_str() {
                all.push((name, value.unwrap_or_default()));
            }
        }
    }
}

/// The bytes at a pointer that may be null.
///
/// # Safety
/// If it is not null, `length` bytes there stay as they are for `'b`.
unsafe fn bytes<'b>(start: *const c_void, length: usize) -> Option<&'b [u8]> {
    // SAFETY: by the contract of this function.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}

/// The end of a partition's log as the last answer to a fetch told it; no request is made. `None` before the first.
pub(super) fn known_end(client: &Client, partition: &Partition) -> Option<i64> {
    let topic = CString::new(partition.topic.as_str()).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, the name ends with a zero, and the two numbers are ours.
    let found = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            client.client().native_ptr(),
            topic.as_ptr(),
            partition.number,
            &raw mut low,
            &raw mut high,
        )
    };
    (found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}
