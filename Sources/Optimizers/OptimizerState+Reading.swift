import Autograd
import TensorCore

extension OptimizerState {
    /// The numbers `names`, all of them and no others. Throws ``OptimizerStateError``.
    func scalars(_ names: [String]) throws -> [String: Double] {
        for name in names {
            guard let value = scalars[name] else {
                throw OptimizerStateError(name: name, expected: "a number", found: "none")
            }
            guard value.isFinite else {
                throw OptimizerStateError(name: name, expected: "a finite number", found: "\(value)")
            }
        }
        if let stray = scalars.keys.sorted().first(where: { !names.contains($0) }) {
            throw OptimizerStateError(name: stray, expected: names.joined(separator: ", "), found: "a number more")
        }
        return scalars
    }

    /// The most steps that a state may have behind it: more than any run, and exact in double precision.
    static let mostSteps = 1 << 48

    /// The number of steps. Throws ``OptimizerStateError`` when it is no whole number from 0 on, or out of all proportion.
    func stepCount() throws -> Int {
        let value = scalars["step"] ?? .nan
        guard let count = Int(exactly: value), count >= 0 else {
            throw OptimizerStateError(name: "step", expected: "a whole number from 0 on", found: "\(value)")
        }
        guard count <= Self.mostSteps else {
            throw OptimizerStateError(name: "step", expected: "at most \(Self.mostSteps) steps", found: "\(count)")
        }
        return count
    }

    /// The tensors by parameter, then by kind. A parameter that never had a gradient has none; any other has all `kinds`,
    /// of its own shape or, for kinds in `scalarKinds`, a scalar. Throws ``OptimizerStateError``.
    func tensors(
        _ kinds: [String], scalarKinds: Set<String> = [], for parameters: [(name: String, parameter: Parameter)]
    ) throws -> [String: [String: Tensor]] {
        let shapes = Dictionary(parameters.map { ($0.name, $0.parameter.value.shape) }, uniquingKeysWith: { a, _ in a })
        var result: [String: [String: Tensor]] = [:]
        for (name, tensor) in tensors {
            guard let slash = name.firstIndex(of: "/"), kinds.contains(String(name[..<slash])) else {
                throw OptimizerStateError(
                    name: name, expected: kinds.map { "'\($0)/…'" }.joined(separator: " or "), found: "another tensor")
            }
            let (kind, parameter) = (String(name[..<slash]), String(name[name.index(after: slash)...]))
            guard let shape = shapes[parameter] else {
                throw OptimizerStateError(
                    name: name, expected: "one of \(shapes.count) parameters", found: "'\(parameter)'")
            }
            let fits = tensor.shape == shape || scalarKinds.contains(kind) && tensor.shape == []
            guard fits, tensor.dtype == .float32 else {
                throw OptimizerStateError(
                    name: name, expected: "float32 \(shape)", found: "\(tensor.dtype) \(tensor.shape)")
            }
            guard result[parameter]?.updateValue(tensor, forKey: kind) == nil else {
                throw OptimizerStateError(name: name, expected: "each tensor once", found: "it twice")
            }
            result[parameter, default: [:]][kind] = tensor
        }
        for (parameter, found) in result {
            if let missing = kinds.first(where: { found[$0] == nil }) {
                throw OptimizerStateError(name: "\(missing)/\(parameter)", expected: "a tensor", found: "none")
            }
        }
        return result
    }

    /// Checked like a programmer's own: names differ, parameters are trained and `float32`.
    static func check(_ parameters: [(name: String, parameter: Parameter)]) {
        precondition(Set(parameters.map(\.name)).count == parameters.count, "two parameters of one name")
        for (name, parameter) in parameters {
            precondition(parameter.isTrained, "updating the frozen parameter \(name)")
            precondition(parameter.value.dtype == .float32, "updating \(name) of type \(parameter.value.dtype)")
        }
    }
}
