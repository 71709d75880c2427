import Glibc

/// The sizes of blocks: 64, 72, 80 … 128, 144 … bytes, eight to each power of two.
package struct SizeClass: Equatable, Sendable {
    /// From so many bytes on a block is a mapping of its own, which the system takes back at once.
    package static let mappedFrom = 1 << 16
    /// As many as there are up to 2^47 bytes.
    package static let count = 8 * 42

    package let index: Int

    package init(index: Int) { self.index = index }

    /// The smallest that holds so many bytes.
    package init(holding byteCount: Int) {
        if byteCount <= 64 {
            index = 0
            return
        }
        // Written as (8 + eighths) << shift, rounded up.
        let shift = Int.bitWidth - 1 - (byteCount - 1).leadingZeroBitCount - 3
        let eighths = (byteCount - 1) >> shift - 8 + 1
        index = (shift - 3) * 8 + eighths
        precondition(index < Self.count, "a tensor of \(byteCount) bytes")
    }

    /// The largest within so many bytes; 64 at least.
    package init(within byteCount: Int) {
        let above = SizeClass(holding: byteCount)
        self = above.byteCount == byteCount ? above : SizeClass(index: above.index - 1)
    }

    /// The length of its blocks.
    package var byteCount: Int { (8 + index % 8) << (index / 8 + 3) }

    /// Whether its blocks are mappings of their own, which begin as zeros.
    var isMapped: Bool { byteCount >= Self.mappedFrom }

    /// Whether pages can be moved from and to its blocks, by pieces of ``pieceLength``: blocks of pieces that came from
    /// elsewhere have no others then.
    var isMovable: Bool { byteCount >= 8 * Self.pieceLength }
    /// A divisor of the lengths of all movable blocks.
    static let pieceLength = 1 << 17

    func allocate() -> UnsafeMutableRawPointer {
        guard isMapped else { return .allocate(byteCount: byteCount, alignment: 64) }
        let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let start, start != MAP_FAILED else {
            fatalError("no memory for a tensor of \(byteCount) bytes: \(String(cString: strerror(errno)))")
        }
        return start
    }

    func deallocate(_ base: UnsafeMutableRawPointer) {
        if isMapped { munmap(base, byteCount) } else { base.deallocate() }
    }
}
