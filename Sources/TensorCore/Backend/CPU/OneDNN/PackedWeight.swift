import Synchronization

/// A frozen convolution weight in the layout that a library reads: what ``CPUBackend`` keeps in a ``WeightCache``.
/// Results do not depend on it.
package final class PackedWeight: Sendable {
    private struct Form {
        let phase: Int, primitive: OneDNNPrimitive, packed: Tensor
    }

    private struct Content {
        /// What the forms were made of; kept, so that nothing changes it in place.
        var source: Tensor?
        var forms: [Form] = []
    }

    private let content = Mutex(Content())

    /// Nothing yet.
    package init() {}

    /// Bytes that are kept.
    package var byteCount: Int { content.withLock { $0.forms.reduce(0) { $0 + $1.packed.count } } }

    private static func areSame(_ a: Tensor, _ b: Tensor) -> Bool {
        a.storage === b.storage && a.offset == b.offset && a.shape == b.shape && a.strides == b.strides
            && a.dtype == b.dtype
    }

    /// `weight` as `primitive` reads it: `source` itself, or what was made of it, told from others by `phase`.
    func form(_ phase: Int, of weight: Tensor, source: Tensor, for primitive: OneDNNPrimitive) -> Tensor {
        content.withLock { content in
            if content.source.map({ Self.areSame($0, source) }) != true { content = Content(source: source) }
            if let known = content.forms.first(where: { $0.phase == phase && $0.primitive.packsLike(primitive) }) {
                return known.packed
            }
            let packed = primitive.packed(weight)
            // Another layout takes the place of the last.
            content.forms.removeAll { $0.phase == phase }
            content.forms.append(Form(phase: phase, primitive: primitive, packed: packed))
            return packed
        }
    }
}
