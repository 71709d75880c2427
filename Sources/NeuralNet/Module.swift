public import Autograd
import TensorCore

/// A part of a model: named parameters and named smaller parts, spelled as the model's files spell them.
///
/// A conforming class lists its parts by hand; nothing is found by reflection. Joined with dots the names give the
/// keys of the file: `transformer_blocks.0.attn.to_q.weight`.
public protocol Module: AnyObject {
    /// The parameters held directly, by name.
    var parameters: [(name: String, parameter: Parameter)] { get }
    /// The smaller parts, by name.
    var children: [(name: String, module: any Module)] { get }
}

extension Module {
    /// None.
    public var parameters: [(name: String, parameter: Parameter)] { [] }

    /// None.
    public var children: [(name: String, module: any Module)] { [] }

    /// This module and all parts below it with their full names, parents first; the module itself is named `prefix`.
    public func namedModules(prefix: String = "") -> [(name: String, module: any Module)] {
        let below = children.flatMap {
            $0.module.namedModules(prefix: prefix.isEmpty ? $0.name : "\(prefix).\($0.name)")
        }
        return [(prefix, self)] + below
    }

    /// Every parameter with its full name.
    public func namedParameters(prefix: String = "") -> [(name: String, parameter: Parameter)] {
        namedModules(prefix: prefix).flatMap { module in
            module.module.parameters.map { (module.name.isEmpty ? $0.name : "\(module.name).\($0.name)", $0.parameter) }
        }
    }

    /// The number of elements of all parameters.
    public var parameterCount: Int { namedParameters().reduce(0) { $0 + $1.parameter.shape.count } }

    /// Gives the pages of mapped weights back, where the policy says so: when the module is not needed for a while.
    public func releaseWeights(_ memory: MemoryPolicy) { WeightStream([self], memory: memory).leave() }

    /// The bytes of weights in mapped files, and those that the process owns.
    public var weightByteCounts: (mapped: Int, owned: Int) {
        namedParameters().reduce(into: (0, 0)) { sum, entry in
            let stored = entry.parameter.stored
            sum.0 += stored.mappedRange?.byteCount ?? 0
            sum.1 += stored.ownedByteCount
        }
    }
}
