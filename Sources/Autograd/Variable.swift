public import TensorCore

/// A tensor with a place on the tape: what models compute with.
///
/// Every operation on variables gives a variable that remembers how to send gradients back, unless nothing it came
/// from wants one or recording is off (``withoutGradients(_:)``). Nothing is saved that only a frozen input's gradient
/// would need.
public final class Variable {
    /// The value.
    public var value: Tensor { known ?? later!.value }
    /// The value, unless it waits in ``later``.
    private var known: Tensor?
    private let later: DeferredTensor?
    /// Whether gradients should reach this variable.
    public let requiresGradient: Bool
    /// The sum of the gradients that reached this leaf since it was last cleared; nil before the first.
    ///
    /// It may be a broadcast view or share its elements with the gradient of another leaf: never write into it.
    public var gradient: Tensor? {
        guard let value = pending?.value() else { return nil }
        pending = Gradient(value)
        return value
    }
    private var pending: Gradient?
    /// What made this variable; nil for leaves.
    let producer: Node?
    /// Which of the producer's outputs this is.
    let outputIndex: Int

    /// A leaf: a parameter (`requiresGradient`) or a constant.
    public init(_ value: Tensor, requiresGradient: Bool = false) {
        (known, later) = (value, nil)
        self.requiresGradient = requiresGradient
        producer = nil
        outputIndex = 0
    }

    init(_ value: Tensor, producer: Node, outputIndex: Int) {
        (known, later) = (value, nil)
        requiresGradient = true
        self.producer = producer
        self.outputIndex = outputIndex
    }

    init(_ value: DeferredTensor, producer: Node, outputIndex: Int) {
        (known, later) = (nil, value)
        requiresGradient = true
        self.producer = producer
        self.outputIndex = outputIndex
    }

    /// The extents of the value.
    public var shape: Shape { known?.shape ?? later!.shape }

    /// The element type of the value.
    public var dtype: DType { known?.dtype ?? later!.dtype }

    /// The value for a use that may never come.
    var deferred: DeferredTensor { later ?? DeferredTensor(value) }

    /// Whether no other tensor refers to the value's elements.
    func isSoleOwnerOfValue() -> Bool { known?.isSoleOwner() ?? false }

    /// Whether this is a parameter or constant and not the result of a recorded operation.
    public var isLeaf: Bool { producer == nil }

    /// A constant with the same value, cut off from the tape.
    public func detached() -> Variable { Variable(value) }

    /// Forgets the gradient.
    public func clearGradient() { pending = nil }

    /// Puts a gradient in place of what was accumulated; an optimizer's clipping does this.
    public func setGradient(_ gradient: Tensor?) {
        precondition(gradient == nil || gradient!.shape == shape, "gradient \(gradient!.shape) for \(shape)")
        pending = gradient.map(Gradient.init)
    }

    /// Adds to the gradient of a leaf; see ``Gradient/add(_:to:)``.
    func accumulateGradient(_ addition: Gradient) {
        checkGradient(addition.shape, shape)
        Gradient.add(addition, to: &pending)
    }

    /// Sends gradients back through everything this variable came from, into the leaves that want them.
    ///
    /// `seed` is the gradient of this variable itself; 1 for a scalar. The tape behind is used up: its saved tensors
    /// are released as soon as their adjoint has run, and a second call through it is a programmer's error.
    public func backward(seed: Tensor? = nil) {
        precondition(seed != nil || value.count == 1, "backward() from shape \(shape) needs a seed")
        precondition(requiresGradient, "backward() from a constant: nothing behind it wants a gradient")
        Tape.backward(from: [(destination, seed ?? Tensor(full: shape, 1, dtype: dtype))])
    }
}
