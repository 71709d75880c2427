import Synchronization
import TensorCore

/// One recorded operation: where its inputs came from and how gradients flow back to them.
final class Node {
    /// Grows with every recorded operation, so that a later one never feeds an earlier one.
    let sequence: Int
    /// The inputs that want gradients, nil where one does not.
    private(set) var inputs: [Variable?]
    /// Gradients of the outputs as they arrive.
    private var upstream: [Tensor?]
    private var adjoint: (([Tensor?]) -> [Tensor?])?

    init(inputs: [Variable], outputCount: Int, adjoint: @escaping ([Tensor?]) -> [Tensor?]) {
        sequence = Tape.nextSequence()
        self.inputs = inputs.map { $0.requiresGradient ? $0 : nil }
        upstream = Array(repeating: nil, count: outputCount)
        self.adjoint = adjoint
    }

    func receive(_ gradient: Tensor, at output: Int) {
        upstream[output] = upstream[output].map { $0 + gradient } ?? gradient
    }

    /// Runs the adjoint once and lets go of all that it saved.
    func run() -> [(Variable, Tensor)] {
        guard let adjoint else { preconditionFailure("backward() through a tape that was already used up") }
        self.adjoint = nil
        let gradients = upstream.contains { $0 != nil } ? adjoint(upstream) : []
        upstream = upstream.map { _ in nil }
        defer { inputs = [] }
        return zip(inputs, gradients).compactMap { input, gradient in
            guard let input, let gradient else { return nil }
            return (input, gradient)
        }
    }
}

/// The order of recorded operations.
enum Tape {
    private static let counter = Atomic<Int>(0)
    @TaskLocal static var isRecording = true

    static func nextSequence() -> Int { counter.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Runs the adjoints of everything behind `roots`, latest operation first.
    static func backward(from roots: [(Variable, Tensor)]) {
        var pending = PriorityQueue()
        func send(_ variable: Variable, _ gradient: Tensor) {
            precondition(
                gradient.shape == variable.shape, "gradient \(gradient.shape) for a variable of shape \(variable.shape)"
            )
            if let node = variable.producer {
                node.receive(gradient, at: variable.outputIndex)
                pending.insert(node)
            } else if variable.requiresGradient {
                variable.accumulateGradient(gradient)
            }
        }
        for (variable, seed) in roots where variable.requiresGradient { send(variable, seed) }
        while let node = pending.popLatest() {
            for (variable, gradient) in node.run() { send(variable, gradient) }
        }
    }
}

/// A binary heap of nodes by sequence, each held once.
private struct PriorityQueue {
    private var heap: [Node] = []
    private var members: Set<ObjectIdentifier> = []

    mutating func insert(_ node: Node) {
        guard members.insert(ObjectIdentifier(node)).inserted else { return }
        heap.append(node)
        var child = heap.count - 1
        while child > 0, heap[(child - 1) / 2].sequence < heap[child].sequence {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popLatest() -> Node? {
        guard let latest = heap.first else { return nil }
        members.remove(ObjectIdentifier(latest))
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { break }
            let right = left + 1
            let child = right < heap.count && heap[right].sequence > heap[left].sequence ? right : left
            if heap[parent].sequence >= heap[child].sequence { break }
            heap.swapAt(parent, child)
            parent = child
        }
        return latest
    }
}

/// Runs `body` without recording: its results are constants, and nothing is saved.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Tape.$isRecording.withValue(false, operation: body)
}

extension Variable {
    /// Records an operation with one result. `adjoint` gets the result's gradient and gives one per input (nil where
    /// none is wanted or none flows).
    static func recording(
        _ value: Tensor, _ inputs: [Variable], _ adjoint: @escaping (Tensor) -> [Tensor?]
    ) -> Variable {
        guard Tape.isRecording, inputs.contains(where: \.requiresGradient) else { return Variable(value) }
        let node = Node(inputs: inputs, outputCount: 1) { adjoint($0[0]!) }
        return Variable(value, producer: node, outputIndex: 0)
    }

    /// Records an operation with several results; gradients that never arrived are nil.
    static func recording(
        _ values: [Tensor], _ inputs: [Variable], _ adjoint: @escaping ([Tensor?]) -> [Tensor?]
    ) -> [Variable] {
        guard Tape.isRecording, inputs.contains(where: \.requiresGradient) else { return values.map { Variable($0) } }
        let node = Node(inputs: inputs, outputCount: values.count, adjoint: adjoint)
        return values.enumerated().map { Variable($0.element, producer: node, outputIndex: $0.offset) }
    }
}
