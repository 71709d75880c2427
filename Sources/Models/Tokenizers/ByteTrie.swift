/// A set of byte strings with a number each, walked byte by byte.
///
/// The edges live in one open-addressing hash table keyed by (node, byte), so that building it is one pass over the
/// keys and a step is one probe: O(total bytes) to build, O(length) to look up.
struct ByteTrie: Sendable {
    /// The node of the empty string.
    static let root: Int32 = 0

    /// The number of the key that ends at a node, -1 where none does.
    private var values: [Int32] = [-1]
    /// `node << 8 | byte`, plus one: zero is an empty slot.
    private var edges: [UInt64]
    private var targets: [Int32]
    private var shift: UInt64

    /// An empty trie with room for about `byteCount` bytes of keys.
    init(byteCount: Int = 0) {
        let bits = max(4, Int.bitWidth - (2 * byteCount).leadingZeroBitCount)
        edges = Array(repeating: 0, count: 1 << bits)
        targets = Array(repeating: 0, count: 1 << bits)
        shift = UInt64(64 - bits)
    }

    var isEmpty: Bool { values.count == 1 }

    /// Adds a key; a key that is there already gets the new number.
    mutating func insert(_ key: [UInt8], value: Int32) {
        var node = Self.root
        for byte in key {
            let edge = UInt64(node) << 8 + UInt64(byte) + 1
            var slot = slot(of: edge)
            if edges[slot] == 0 {
                if 2 * values.count > edges.count {
                    grow()
                    slot = self.slot(of: edge)
                }
                edges[slot] = edge
                targets[slot] = Int32(values.count)
                values.append(-1)
            }
            node = targets[slot]
        }
        values[Int(node)] = value
    }

    /// The node one byte below another, -1 where there is none.
    func child(of node: Int32, _ byte: UInt8) -> Int32 {
        let slot = slot(of: UInt64(node) << 8 + UInt64(byte) + 1)
        return edges[slot] == 0 ? -1 : targets[slot]
    }

    /// The number of the key that ends at this node, -1 where none does.
    func value(at node: Int32) -> Int32 { values[Int(node)] }

    /// The number of a whole key; nil if it is not in the set.
    func value(of key: ArraySlice<UInt8>) -> Int32? { node(below: Self.root, key).flatMap(number) }

    /// The number of a key that is two stretches one after the other.
    func value(of first: ArraySlice<UInt8>, _ second: ArraySlice<UInt8>) -> Int32? {
        node(below: Self.root, first).flatMap { node(below: $0, second) }.flatMap(number)
    }

    /// The number of a whole key; nil if it is not in the set.
    func value(of key: String) -> Int32? { value(of: Array(key.utf8)[...]) }

    private func node(below start: Int32, _ path: ArraySlice<UInt8>) -> Int32? {
        var node = start
        for byte in path {
            node = child(of: node, byte)
            if node < 0 { return nil }
        }
        return node
    }

    private func number(_ node: Int32) -> Int32? { values[Int(node)] < 0 ? nil : values[Int(node)] }

    /// The longest key that `text` holds at `start`.
    func longestMatch(in text: [UInt8], from start: Int) -> (value: Int32, end: Int)? {
        var match: (value: Int32, end: Int)?
        var node = Self.root
        var position = start
        while position < text.count {
            node = child(of: node, text[position])
            if node < 0 { break }
            position += 1
            if values[Int(node)] >= 0 { match = (values[Int(node)], position) }
        }
        return match
    }

    /// The slot that holds an edge, or the empty one where it would go.
    private func slot(of edge: UInt64) -> Int {
        // Nodes are numbered in a row: without the second round their edges would crowd together.
        var hash = edge &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash >> 32) &* 0xD6E8_FEB8_6659_FD93
        var slot = Int(truncatingIfNeeded: hash >> shift)
        while edges[slot] != 0, edges[slot] != edge { slot = (slot + 1) & (edges.count - 1) }
        return slot
    }

    private mutating func grow() {
        let (oldEdges, oldTargets) = (edges, targets)
        edges = Array(repeating: 0, count: 2 * oldEdges.count)
        targets = Array(repeating: 0, count: edges.count)
        shift -= 1
        for (edge, target) in zip(oldEdges, oldTargets) where edge != 0 {
            let slot = slot(of: edge)
            edges[slot] = edge
            targets[slot] = target
        }
    }
}
