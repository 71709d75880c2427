public import TensorCore

/// A tensor that a model owns: frozen in its file's type, in blocks too, or trained.
public final class Parameter {
    private enum Content {
        case variable(Variable)
        /// Frozen, as its file has it.
        case blocks(QuantizedTensor)
    }

    private var content: Content

    /// The type as which blocks are expanded where numbers are asked for: twice as wide would add nothing that matters
    /// beside the quantisation's own error.
    public static let expandedType = DType.bfloat16

    /// The variable that the model computes with. Blocks are expanded anew each time: linear layers ask for ``weight``.
    public var variable: Variable {
        switch content {
        case .variable(let variable): variable
        case .blocks(let blocks): Variable(blocks.dequantized(to: Self.expandedType))
        }
    }

    /// The elements; those of blocks are expanded anew each time.
    public var value: Tensor { variable.value }

    /// The elements as they are kept.
    public var stored: StoredTensor {
        switch content {
        case .variable(let variable): .plain(variable.value)
        case .blocks(let blocks): .quantized(blocks)
        }
    }

    /// The matrix as a linear layer takes it.
    public var weight: LinearWeight {
        switch content {
        case .variable(let variable): .variable(variable)
        case .blocks(let blocks): .frozen(QuantizedMatrix(blocks))
        }
    }

    /// The extents.
    public var shape: Shape { stored.shape }

    /// The type of ``value``.
    public var dtype: DType {
        switch content {
        case .variable(let variable): variable.dtype
        case .blocks: Self.expandedType
        }
    }

    /// Holds a value, frozen unless `isTrained`.
    public init(_ value: Tensor, isTrained: Bool = false) {
        content = .variable(Variable(value, requiresGradient: isTrained))
    }

    /// Holds a frozen value as it is stored.
    public init(_ stored: StoredTensor) {
        switch stored {
        case .plain(let tensor): content = .variable(Variable(tensor))
        case .quantized(let blocks): content = .blocks(blocks)
        }
    }

    /// Whether gradients reach the parameter. Blocks are expanded for good when they are to be trained.
    public var isTrained: Bool {
        get { if case .variable(let variable) = content { variable.requiresGradient } else { false } }
        set { if newValue != isTrained { content = .variable(Variable(value, requiresGradient: newValue)) } }
    }

    /// Replaces the value by one of the same shape.
    public func replace(_ value: Tensor) {
        precondition(value.shape == shape, "replacing \(shape) by \(value.shape)")
        content = .variable(Variable(value, requiresGradient: isTrained))
    }

    /// Lets `body` write into the elements of the value, which are copied first if anything else refers to them: a
    /// snapshot, an average, a recorded operation. The gradient is dropped.
    public func update(_ body: (Tensor) -> Void) {
        let isTrained = isTrained
        var variable = variable
        // Only this function refers to the variable now.
        content = .variable(Self.nothing)
        let isOurs = isKnownUniquelyReferenced(&variable) && variable.isSoleOwnerOfValue()
        let value = isOurs ? variable.value : variable.value.copied()
        body(value)
        content = .variable(Variable(value, requiresGradient: isTrained))
    }

    private static var nothing: Variable { Variable(Tensor(0)) }
}

/// What a linear layer multiplies its input by, `[out, in]`.
public enum LinearWeight {
    /// Numbers, trained or not.
    case variable(Variable)
    /// Frozen numbers in blocks.
    case frozen(QuantizedMatrix)

    /// The extents.
    public var shape: Shape {
        switch self {
        case .variable(let variable): variable.shape
        case .frozen(let matrix): matrix.shape
        }
    }

    /// The elements as a factor of a product.
    var factor: ProductFactor {
        switch self {
        case .variable(let variable): .plain(variable.value)
        case .frozen(let matrix): .quantized(matrix)
        }
    }

    /// The variable, where there is one.
    var variable: Variable? {
        if case .variable(let variable) = self { return variable }
        return nil
    }
}
