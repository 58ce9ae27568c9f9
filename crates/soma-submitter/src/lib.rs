//! Finding data that hits targets, submitting it, claiming rewards.
