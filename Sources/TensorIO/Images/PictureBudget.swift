import Foundation

/// How many bytes of decoded pictures the threads of a process may hold at the same time.
///
/// A file of thirty kilobytes can be a picture of half a gigabyte, and as many threads as there are processors read
/// pictures. Whoever needs more than is left waits for the others; turns are taken in the order of asking, and one that
/// needs more than there is at all goes alone.
package final class PictureBudget: Sendable {
    /// That of the process: two pictures of the largest size.
    package static let shared = PictureBudget(byteCount: 2 * 3 * Image.maximumPixelCount)

    private let limit: Int
    private let condition = NSCondition()
    /// Guarded by the condition.
    private nonisolated(unsafe) var state = (used: 0, most: 0, nextTurn: 0, turn: 0)

    /// Lends at most `byteCount` bytes.
    package init(byteCount: Int) { limit = byteCount }

    /// The most bytes that were ever lent at the same time.
    package var mostUsed: Int {
        condition.lock()
        defer { condition.unlock() }
        return state.most
    }

    /// Runs `body` once there is room for `byteCount` bytes, which it must have given up when it returns. It must not ask
    /// for room itself: two threads that each hold a part would wait for each other.
    package func withRoom<Result>(for byteCount: Int, _ body: () throws -> Result) rethrows -> Result {
        condition.lock()
        let turn = state.nextTurn
        state.nextTurn += 1
        while state.turn != turn || state.used > 0 && state.used + byteCount > limit { condition.wait() }
        state.turn += 1
        state.used += byteCount
        state.most = max(state.most, state.used)
        condition.broadcast()
        condition.unlock()
        defer {
            condition.lock()
            state.used -= byteCount
            condition.broadcast()
            condition.unlock()
        }
        return try body()
    }
}

extension Image {
    /// Decodes a picture for `body` alone, which must not keep it nor decode another: of what several threads decode so,
    /// no more is in memory than ``PictureBudget/shared`` allows. Throws as ``init(decoding:name:)`` does.
    package static func withDecoded<Result>(
        _ bytes: UnsafeRawBufferPointer, name: String, _ body: (Image) throws -> Result
    ) throws -> Result {
        try PictureBudget.shared.withRoom(for: decodingByteCount(bytes, name: name)) {
            try body(Image(decoding: bytes, name: name))
        }
    }

    /// The same on a background, and whether any part was transparent.
    package static func withDecoded<Result>(
        _ bytes: UnsafeRawBufferPointer, name: String, background: ImageBackground,
        _ body: (Image, _ isTransparent: Bool) throws -> Result
    ) throws -> Result {
        try PictureBudget.shared.withRoom(for: decodingByteCount(bytes, name: name)) {
            let decoded = try decode(bytes, name: name, background: background)
            return try body(decoded.image, decoded.isTransparent)
        }
    }
}
