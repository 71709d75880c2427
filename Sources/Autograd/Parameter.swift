public import TensorCore

/// A tensor that a model owns: frozen in its file's type, or trained.
public final class Parameter {
    /// The variable that the model computes with.
    public private(set) var variable: Variable

    /// The elements.
    public var value: Tensor { variable.value }

    /// Holds a value, frozen unless `isTrained`.
    public init(_ value: Tensor, isTrained: Bool = false) {
        variable = Variable(value, requiresGradient: isTrained)
    }

    /// Whether gradients reach the parameter.
    public var isTrained: Bool {
        get { variable.requiresGradient }
        set { if newValue != isTrained { variable = Variable(value, requiresGradient: newValue) } }
    }

    /// Replaces the value by one of the same shape.
    public func replace(_ value: Tensor) {
        precondition(value.shape == self.value.shape, "replacing \(self.value.shape) by \(value.shape)")
        variable = Variable(value, requiresGradient: isTrained)
    }

    /// Lets `body` write into the elements of the value, which are copied first if anything else refers to them: a
    /// snapshot, an average, a recorded operation. The gradient is dropped.
    public func update(_ body: (Tensor) -> Void) {
        let isOurs = isKnownUniquelyReferenced(&variable) && variable.isSoleOwnerOfValue()
        let value = isOurs ? variable.value : variable.value.copied()
        body(value)
        variable = Variable(value, requiresGradient: isTrained)
    }
}
