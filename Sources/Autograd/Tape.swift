import HeapModule
import Synchronization
import TensorCore

/// One recorded operation: where its inputs came from and how gradients flow back to them.
///
/// A node holds the nodes before it and the leaves, never the values between: what an adjoint needs it captures.
final class Node {
    /// Where the gradient of one input goes.
    enum Destination {
        case leaf(Variable)
        case result(of: Node, index: Int)
    }

    /// Grows with every recorded operation, so that a later one never feeds an earlier one.
    let sequence: Int
    /// Where gradients go, one per input; nil where none is wanted.
    private var destinations: [Destination?]
    /// Shape and type of each output.
    private let outputs: [(shape: Shape, dtype: DType)]
    private let acceptsAnyType: Bool
    /// Gradients of the outputs as they arrive.
    private var upstream: [Gradient?]
    private var adjoint: (([Tensor?]) -> [Gradient?])?

    /// Gradients reach `adjoint` in the type of their output unless `acceptsAnyType`: a parameter's gradient is
    /// `float32` whatever the type it was used in.
    init(
        inputs: [Variable], outputs: [(shape: Shape, dtype: DType)], acceptsAnyType: Bool = false,
        adjoint: @escaping ([Tensor?]) -> [Gradient?]
    ) {
        sequence = Tape.nextSequence()
        destinations = inputs.map { $0.requiresGradient ? $0.destination : nil }
        self.outputs = outputs
        self.acceptsAnyType = acceptsAnyType
        upstream = Array(repeating: nil, count: outputs.count)
        self.adjoint = adjoint
    }

    deinit {
        // Link by link: released by the compiler, a long chain would recurse once per operation.
        var orphans = takePredecessors()
        while var node = orphans.popLast() {
            if isKnownUniquelyReferenced(&node) { orphans += node.takePredecessors() }
        }
    }

    private func takePredecessors() -> [Node] {
        defer { destinations = [] }
        return destinations.compactMap { if case .result(let node, _)? = $0 { node } else { nil } }
    }

    func receive(_ gradient: Gradient, at index: Int) {
        checkGradient(gradient.shape, outputs[index].shape)
        let gradient = acceptsAnyType ? gradient : gradient.converted(to: outputs[index].dtype)
        Gradient.add(gradient, to: &upstream[index])
    }

    /// Runs the adjoint once and lets go of all that it saved.
    func run() -> [(Destination, Gradient)] {
        guard let adjoint else { preconditionFailure("backward() through a tape that was already used up") }
        self.adjoint = nil
        let arrived = upstream.map { $0?.value() }
        upstream = upstream.map { _ in nil }
        let gradients = arrived.contains { $0 != nil } ? adjoint(arrived) : []
        defer { destinations = [] }
        return zip(destinations, gradients).compactMap { destination, gradient in
            guard let destination, let gradient else { return nil }
            return (destination, gradient)
        }
    }
}

func checkGradient(_ gradient: Shape, _ shape: Shape) {
    precondition(gradient == shape, "gradient \(gradient) for a variable of shape \(shape)")
}

/// The order of recorded operations.
enum Tape {
    private static let counter = Atomic<Int>(0)
    @TaskLocal static var isRecording = true
    /// Whether a checkpointed block is being run a second time, for its adjoints alone.
    @TaskLocal static var isRunningAgain = false

    static func nextSequence() -> Int { counter.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Runs the adjoints of everything behind `roots`, latest operation first.
    static func backward(from roots: [(destination: Node.Destination, gradient: Tensor)]) {
        var pending = PriorityQueue()
        func send(_ gradient: Gradient, to destination: Node.Destination) {
            switch destination {
            case .leaf(let variable):
                variable.accumulateGradient(gradient)
            case .result(let node, let index):
                node.receive(gradient, at: index)
                pending.insert(node)
            }
        }
        for root in roots { send(Gradient(root.gradient), to: root.destination) }
        while let node = pending.popLatest() {
            for (destination, gradient) in node.run() { send(gradient, to: destination) }
        }
    }
}

/// Nodes that wait for their adjoint to run, each held once.
private struct PriorityQueue {
    /// A node, ordered by when its operation was recorded.
    private struct Recorded: Comparable {
        let node: Node

        static func == (a: Recorded, b: Recorded) -> Bool { a.node === b.node }
        static func < (a: Recorded, b: Recorded) -> Bool { a.node.sequence < b.node.sequence }
    }

    private var heap = Heap<Recorded>()
    private var members: Set<ObjectIdentifier> = []

    mutating func insert(_ node: Node) {
        if members.insert(ObjectIdentifier(node)).inserted { heap.insert(Recorded(node: node)) }
    }

    mutating func popLatest() -> Node? {
        guard let latest = heap.popMax()?.node else { return nil }
        members.remove(ObjectIdentifier(latest))
        return latest
    }
}

/// Runs `body` without recording: its results are constants, and nothing is saved.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Tape.$isRecording.withValue(false, operation: body)
}

/// Whether operations are recorded here, so that gradients can be asked for: false inside ``withoutGradients(_:)``.
package var recordsGradients: Bool { Tape.isRecording }

extension Variable {
    /// Where this variable's gradient goes.
    var destination: Node.Destination { producer.map { .result(of: $0, index: outputIndex) } ?? .leaf(self) }

    /// Records an operation with one result. `adjoint` gets the result's gradient, in the result's type unless
    /// `acceptsAnyType`, and gives one per input (nil where none is wanted or none flows).
    static func recording(
        _ value: Tensor, _ inputs: [Variable], acceptsAnyType: Bool = false, _ adjoint: @escaping (Tensor) -> [Tensor?]
    ) -> Variable {
        recording(
            value, inputs, acceptsAnyType: acceptsAnyType, products: { adjoint($0).map { $0.map(Gradient.init) } })
    }

    /// The same for an adjoint some of whose gradients are products that are left for the sum to compute.
    static func recording(
        _ value: Tensor, _ inputs: [Variable], acceptsAnyType: Bool = false,
        products adjoint: @escaping (Tensor) -> [Gradient?]
    ) -> Variable {
        guard Tape.isRecording, inputs.contains(where: \.requiresGradient) else { return Variable(value) }
        let node = Node(inputs: inputs, outputs: [(value.shape, value.dtype)], acceptsAnyType: acceptsAnyType) {
            adjoint($0[0]!)
        }
        return Variable(value, producer: node, outputIndex: 0)
    }

    /// The same for a result that is computed only when it is read, while a block is run again; else at once.
    static func recording(
        _ value: DeferredTensor, _ inputs: [Variable], products adjoint: @escaping (Tensor) -> [Gradient?]
    ) -> Variable {
        guard Tape.isRunningAgain, Tape.isRecording, inputs.contains(where: \.requiresGradient) else {
            return recording(value.value, inputs, products: adjoint)
        }
        let node = Node(inputs: inputs, outputs: [(value.shape, value.dtype)]) { adjoint($0[0]!) }
        return Variable(value, producer: node, outputIndex: 0)
    }

    /// Records an operation with several results; gradients that never arrived are nil.
    static func recording(
        _ values: [Tensor], _ inputs: [Variable], acceptsAnyType: Bool = false,
        _ adjoint: @escaping ([Tensor?]) -> [Tensor?]
    ) -> [Variable] {
        recordingSums(values, inputs, acceptsAnyType: acceptsAnyType) { adjoint($0).map { $0.map(Gradient.init) } }
    }

    /// The same for an adjoint some of whose gradients are products that are left for the sum to compute.
    static func recordingSums(
        _ values: [Tensor], _ inputs: [Variable], acceptsAnyType: Bool = false,
        _ adjoint: @escaping ([Tensor?]) -> [Gradient?]
    ) -> [Variable] {
        guard Tape.isRecording, inputs.contains(where: \.requiresGradient) else { return values.map { Variable($0) } }
        let node = Node(
            inputs: inputs, outputs: values.map { ($0.shape, $0.dtype) }, acceptsAnyType: acceptsAnyType,
            adjoint: adjoint)
        return values.enumerated().map { Variable($0.element, producer: node, outputIndex: $0.offset) }
    }
}
