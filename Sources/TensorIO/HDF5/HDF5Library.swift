import CStorage
import Foundation

/// The one lock around libhdf5, which is not safe for threads as Debian builds it, and its last words on a failure.
enum HDF5Library {
    /// Recursive, because a handle may be dropped, and so closed, while another call holds the lock.
    private static let lock = NSRecursiveLock()

    /// Runs `body` alone in the library.
    static func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        storage_h5_start()
        return try body()
    }

    /// The innermost message of the failure that just happened; only right after the failing call.
    static func message() -> String {
        let capacity = 256
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            storage_h5_message(start, capacity)
            return String(cString: start)
        }
        return text.isEmpty ? "an HDF5 failure without a message" : printable(text)
    }
}

/// An identifier of the library, released when the last reference goes.
final class HDF5Handle: Sendable {
    let id: hid_t

    /// Takes over an identifier that the caller owns.
    init(_ id: hid_t) { self.id = id }

    deinit {
        HDF5Library.locked {
            // Closing a file closes what was open in it; identifiers are not used again.
            if H5Iis_valid(id) > 0 { H5Idec_ref(id) }
        }
    }
}
