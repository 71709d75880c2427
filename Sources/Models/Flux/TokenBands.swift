import Autograd
import TensorCore

/// Applies `body`, which gives each token a result of its own, to `inputs` `[B, S, …]`, which are about the same tokens.
///
/// Where it makes `width` elements for each token on the way, no gradient will want them and they would be large, the
/// tokens go through it in bands, one after the other: the results are the same, and one band's elements are in memory.
/// `needsAll` says that they must come together, for what a layer tells beside its result.
func inBands(
    _ inputs: [Variable], width: Int, needingAll needsAll: Bool, _ body: ([Variable]) -> Variable
) -> Variable {
    let bands = bandCount(inputs[0], width: width, needingAll: needsAll)
    if bands == 1 { return body(inputs) }
    let tokens = inputs[0].shape[1]
    let results = (0..<bands).map { index in
        let band = index * tokens / bands..<(index + 1) * tokens / bands
        return body(inputs.map { $0.sliced(axis: 1, band).contiguous() })
    }
    return .concatenated(results, axis: 1)
}

/// The bands into which ``inBands(_:width:needingAll:_:)`` divides.
func bandCount(_ tokens: Variable, width: Int, needingAll needsAll: Bool) -> Int {
    let rows = tokens.shape[0] * tokens.shape[1]
    if recordsGradients || needsAll || rows * width * tokens.dtype.byteCount <= largeActivation { return 1 }
    return min(tokens.shape[1], (rows + bandRows - 1) / bandRows)
}

/// Bytes of what may be made for all tokens at once.
private let largeActivation = 16 << 20
/// Tokens of a band at most: each band's products read and pack the weights, which costs as much as eight rows of them.
private let bandRows = 1024
