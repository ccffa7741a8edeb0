//! The API as a client meets it: a real store, a real port, and every answer held against `openapi.json`.

mod acting;
mod asking;
mod document;
mod external;
mod guarding;
mod schema;
mod service;
mod world;
