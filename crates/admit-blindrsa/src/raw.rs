//! The only unsafe code of the project: RSA's private operation without padding, which AWS-LC has and
//! its safe wrapper does not offer.
#![expect(unsafe_code, reason = "AWS-LC is C; each block says why it is sound")]

use std::ptr::NonNull;

use aws_lc_sys::{
    ERR_clear_error, RSA, RSA_NO_PADDING, RSA_free, RSA_private_key_from_bytes, RSA_sign_raw,
};

/// A private key of any size, owned.
pub(crate) struct RawKey(NonNull<RSA>);

// SAFETY: AWS-LC's objects belong to no thread (`include/openssl/rsa.h`, "Allocation and
// destruction"), and the pointer is this value's own.
unsafe impl Send for RawKey {}

// SAFETY: through a shared reference only `RSA_sign_raw` is called. `rsa.h` lists it under the
// functions that are "non-mutating for thread-safety purposes and may be used concurrently": its
// blinding factors and Montgomery numbers are behind locks of the object.
unsafe impl Sync for RawKey {}

impl Drop for RawKey {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `RSA_private_key_from_bytes`, nobody else has it, and it is
        // not used again. AWS-LC wipes what it frees.
        unsafe { RSA_free(self.0.as_ptr()) }
    }
}

impl RawKey {
    /// Reads an `RSAPrivateKey` (PKCS#1, RFC 8017, A.1.2), DER, to its last byte. AWS-LC checks that
    /// its numbers belong together.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        // SAFETY: `der` is readable for its length, and AWS-LC copies what it keeps.
        let key = unsafe { RSA_private_key_from_bytes(der.as_ptr(), der.len()) };
        if key.is_null() {
            forget_errors();
        }
        NonNull::new(key).map(Self)
    }

    /// Writes `input` to the power of the private exponent to `output`; both are big-endian and as
    /// long as the modulus. False, and `output` is worth nothing, when they are not, when the number
    /// is out of range, or when the result does not verify.
    pub(crate) fn power(&self, input: &[u8], output: &mut [u8]) -> bool {
        let mut written = 0;
        // SAFETY: the key lives as long as `self`; `input` is readable and `output` writable for the
        // lengths given with them, and they cannot overlap. AWS-LC refuses an input of another length
        // than the modulus and an output that is too short (`rsa_default_sign_raw`).
        let done = unsafe {
            RSA_sign_raw(
                self.0.as_ptr(),
                &raw mut written,
                output.as_mut_ptr(),
                output.len(),
                input.as_ptr(),
                input.len(),
                RSA_NO_PADDING,
            )
        };
        if done != 1 {
            forget_errors();
        }
        done == 1 && written == output.len()
    }
}

/// Empties this thread's list of errors, which would otherwise be found by the next who looks.
fn forget_errors() {
    // SAFETY: it takes nothing and touches only what belongs to this thread.
    unsafe { ERR_clear_error() }
}
