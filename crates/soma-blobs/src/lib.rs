//! Verified fetch, upload and cache of blobs.
